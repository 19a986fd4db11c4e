// The one channel handler of a connection, at the very front of its pipeline: bytes on one side, HTTP parts on the other.
// It drives `ConnectionMachine`, lets the fast path answer what it can, and hands every other request to the framework
// behind it, one at a time. There is one parser in a connection, so no two can disagree about where a request ends.
// Bounds: 64 KiB of answers that nobody reads stop the reading, so does a head's worth of requests that wait their turn.

import CurfewCore
import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// What the connections of one listener share.
struct ConnectionSettings: Sendable {
    var head = HeadLimits()
    /// The body limit of a path, by the path's bytes.
    var bodyLimit: @Sendable (UnsafeRawBufferPointer) -> Int
    /// Whether the calls of a path need nothing that is scarce.
    var isLight: @Sendable (UnsafeRawBufferPointer) -> Bool = { _ in false }
    /// Answers that need no task: given on the event loop, whatever else is under way.
    var atOnce: @Sendable (HTTPRequest) -> Answer? = { _ in nil }
    /// There is TLS in front of this.
    var isSecure = false
    /// Only the public listener has one.
    var fastPath: FastPath?
    var headTimeout = Duration.seconds(10)
    var idleTimeout = Duration.seconds(75)
    /// How long a graceful stop waits for an answer that is under way.
    var drainTimeout = Duration.seconds(3)
    /// How long the client's last bytes are read and thrown away after a last answer, so that a reset doesn't eat it.
    var lingerTimeout = Duration.seconds(1)
    /// Bytes of requests that wait behind an answer.
    var maximumWaitingBytes = 32 * 1024
    /// Bytes of answers before they are handed to the socket.
    var maximumOutputBytes = 64 * 1024
}

/// Of a connection that was served elsewhere before.
struct CarriedBytes: Sendable {
    /// Read and not answered; a request's head begins with the first.
    var input = ByteBuffer()
    /// Not written yet.
    var output = ByteBuffer()
}

/// See the top of the file. Every method runs on the channel's event loop.
final class ConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = ByteBuffer

    let settings: ConnectionSettings
    var machine: ConnectionMachine
    var timers = ConnectionTimers()
    /// Bytes that the machine hasn't taken away.
    var input = ByteBuffer()
    /// Answers of the fast path that aren't written yet.
    var output = ByteBuffer()
    private var scratch: VerdictScratch?
    private var isProcessing = false
    var hasFiredReads = false
    private var isReadHeld = false
    var isHeadRequest = false
    var isChannelWritable = true
    /// The client has said all that it will.
    var isInputClosed = false
    /// A graceful stop is under way.
    var isQuiescing = false
    /// The last answer is on its way out.
    var isFinishing = false
    /// Where the call under way is counted.
    let place: CallPlace?
    var call = CallUnderWay()
    /// Puts the framework behind this handler; done before the first request that it gets.
    var attach: ((any Channel) -> Void)?
    /// A whole head came since the ring's hand last passed.
    var wasUseful = true
    /// See `ConnectionRing`.
    weak var ring: ConnectionRing?
    var placeInRing: Int?
    private(set) var context: ChannelHandlerContext?
    let admission: Admission

    /// Whether there is room for one more connection.
    enum Admission: Sendable {
        case welcome
        /// It gets `overloaded` in writing, as soon as it asks anything.
        case oneTooMany
        /// There are too many even of those: closed at once.
        case unwelcome
    }

    init(
        settings: ConnectionSettings, admission: Admission = .welcome, place: CallPlace? = nil,
        carried: CarriedBytes = CarriedBytes(), attach: ((any Channel) -> Void)? = nil
    ) {
        self.settings = settings
        (input, output) = (carried.input, carried.output)
        self.admission = admission
        self.place = place
        self.attach = attach
        machine = ConnectionMachine(limits: settings.head)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if settings.fastPath != nil { scratch = .ofThisThread() }
        if context.channel.isActive { start(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timers.cancel()
        ring?.remove(self)
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        start(context)
        // Who is put behind this later is told then.
        if attach == nil { context.fireChannelActive() }
        if admission == .welcome, input.readableBytes + output.readableBytes > 0 {
            process(context)
            channelReadComplete(context: context)
        }
    }

    private func start(_ context: ChannelHandlerContext) {
        switch admission {
        case .welcome: scheduleIdleTick(context)
        case .oneTooMany: scheduleLinger(context) { $0.refuseConnection(context) }
        case .unwelcome: context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        timers.cancel()
        if machine.isReceivingBody { context.fireErrorCaught(ConnectionError.endedWithinRequest) }
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        timers.isQuiet = false
        if admission != .welcome { return refuseConnection(context) }
        guard !machine.isClosed else { return }
        var bytes = unwrapInboundIn(data)
        if input.readableBytes == 0 { input = bytes } else { input.writeBuffer(&bytes) }
        process(context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Between a slow request and its end there is nothing that the framework needs to hear of.
        if hasFiredReads {
            hasFiredReads = false
            context.fireChannelReadComplete()
        }
    }

    // MARK: Reading

    private var holdsReads: Bool {
        if machine.isClosed { return false }
        return !isChannelWritable || (machine.current != nil && input.readableBytes > settings.maximumWaitingBytes)
    }

    func read(context: ChannelHandlerContext) {
        if holdsReads { isReadHeld = true } else { context.read() }
    }

    private func resumeReading(_ context: ChannelHandlerContext) {
        if isReadHeld, !holdsReads {
            isReadHeld = false
            context.read()
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isChannelWritable = context.channel.isWritable
        if isChannelWritable { process(context) }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Requests

    /// Takes as many steps as the bytes allow. Answers that end meanwhile call it again from within: once is enough.
    func process(_ context: ChannelHandlerContext) {
        guard !isProcessing else { return }
        isProcessing = true
        while !isFinishing, isChannelWritable || machine.current != nil, takeStep(context) {}
        isProcessing = false
        // Lets go of the memory that the socket was read into, so that it can be read into again.
        if input.readableBytes == 0 { input = ByteBuffer() }
        flushOutput(context)
        settle(context)
        resumeReading(context)
    }

    /// `false` when nothing more can be done now.
    private func takeStep(_ context: ChannelHandlerContext) -> Bool {
        switch input.withUnsafeReadableBytes({ machine.step($0) }) {
        case .needsMore, .awaitsAnswer, .closed: return false
        case .request(let head): decide(head, context)
        case .skip(let count): input.moveReaderIndex(forwardBy: count)
        case .body(let count):
            if let content = input.readSlice(length: count) { take(content, context) }
        case .requestEnded: endRequest(context)
        case .refuse(let refusal, let mayAnswer):
            if mayAnswer { refuse(Problem(refusal)) }
            if machine.current != nil { context.fireErrorCaught(ConnectionError.refused) }
        }
        return true
    }

    private func decide(_ head: RequestHead, _ context: ChannelHandlerContext) {
        wasUseful = true
        if let fastPath = settings.fastPath, let scratch {
            let connection = fate(after: head, closes: machine.closesAfterAnswer || head.closes)
            if output.capacity == 0 { output = context.channel.allocator.buffer(capacity: 1024) }
            let keys = scratch.keys(of: fastPath.keyRing)
            let isAnswered = input.withUnsafeReadableBytes { bytes in
                head.isPlainValidate(in: bytes)
                    && fastPath.answer(
                        head, in: bytes, ring: keys.ring, scratch: scratch.memory, connection: connection,
                        into: &output)
            }
            if isAnswered {
                input.moveReaderIndex(forwardBy: head.length)
                machine.answered()
                if output.readableBytes >= settings.maximumOutputBytes { flushOutput(context) }
                return
            }
        }
        handOn(head, context)
    }

    private func handOn(_ head: RequestHead, _ context: ChannelHandlerContext) {
        flushOutput(context)
        let (limit, isLight, isHead) = input.withUnsafeReadableBytes { bytes in
            let path = UnsafeRawBufferPointer(
                rebasing: head.target.bytes(in: bytes).prefix { $0 != UInt8(ascii: "?") })
            return (settings.bodyLimit(path), settings.isLight(path), head.method.bytes(in: bytes).equals("HEAD"))
        }
        isHeadRequest = isHead
        if let refusal = machine.handedOn(bodyLimit: limit) { return refuse(Problem(refusal)) }
        call = CallUnderWay(isLight: isLight)
        // Before anything is made of it: what is too much must cost little.
        if !isLight, place?.isHopeless(isLight: false) == true {
            input.moveReaderIndex(forwardBy: head.length)
            return answerHere(OverloadedAnswer.shared, to: head)
        }
        guard let request = input.withUnsafeReadableBytes({ HTTPRequest(head, in: $0) }) else {
            machine.close()
            return refuse(.malformed("the request head holds what no request can say"))
        }
        input.moveReaderIndex(forwardBy: head.length)
        if let answer = settings.atOnce(request) { return answerHere(answer, to: head) }
        if !isAdmitted(hasBody: head.body != .none) { return answerHere(OverloadedAnswer.shared, to: head) }
        attachFramework(context)
        fire(.head(request), context)
        if head.body == .none {
            fire(.end(nil), context)
        } else if head.expectsContinue {
            output.writeStaticString(AnswerBytes.goOn)
            flushOutput(context)
        }
    }

    func fire(_ part: HTTPRequestPart, _ context: ChannelHandlerContext) {
        hasFiredReads = true
        context.fireChannelRead(wrapInboundOut(part))
    }

    /// The last thing that this connection is told; the machine is closed already.
    func refuse(_ problem: Problem) {
        AnswerBytes.write(Answer(problem), connection: fate(closes: true), isHead: false, into: &output)
    }

    /// What an answer says about this connection.
    func fate(after head: RequestHead? = nil, closes: Bool) -> AnswerBytes.Connection {
        AnswerBytes.Connection(of: head, closes: closes, isSecure: settings.isSecure)
    }

    func refuseConnection(_ context: ChannelHandlerContext) {
        guard !machine.isClosed else { return }
        machine.close()
        refuse(Problem(.overloaded, "this listener has all the connections that it may have"))
        settle(context)
    }

    // MARK: Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard let head = machine.current, !machine.isClosed else {
            promise?.fail(ConnectionError.refused)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(let response):
            machine.answerBegan()
            context.write(wrapOutboundOut(encode(response, for: head)), promise: promise)
        case .body(let content):
            if isHeadRequest {
                promise?.succeed()
            } else {
                context.write(wrapOutboundOut(content), promise: promise)
            }
        case .end:
            context.write(wrapOutboundOut(ByteBuffer()), promise: promise)
            machine.answerEnded()
            place?.release()
            timers.isQuiet = false
            process(context)
            if hasFiredReads { channelReadComplete(context: context) }
        }
    }

    private func encode(_ response: HTTPResponse, for head: RequestHead) -> ByteBuffer {
        var buffer = ByteBuffer()
        let length = response.headerFields[.contentLength].flatMap(Int.init)
        if length == nil { machine.closeAfterAnswer() }
        let fields = response.headerFields.lazy
            .filter { $0.name != .contentLength && $0.name != .connection }
            .map { (name: $0.name.rawName, value: $0.value) }
        AnswerBytes.writeHead(
            status: response.status.code, fields: fields, contentLength: length,
            connection: fate(after: head, closes: machine.closesAfterAnswer), into: &buffer)
        return buffer
    }

    func flushOutput(_ context: ChannelHandlerContext) {
        guard output.readableBytes > 0 else { return }
        context.writeAndFlush(wrapOutboundOut(output), promise: nil)
        output = ByteBuffer()
    }
}
