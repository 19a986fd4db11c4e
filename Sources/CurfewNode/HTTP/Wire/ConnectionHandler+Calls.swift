// What becomes of a request that the fast path leaves. Some are answered here, on the event loop, with no task: health checks,
// callers without a key, and whatever is too much. The others go to the framework behind this handler, and their work is
// counted from the moment at which they are whole.

import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// What the connection has to remember of the request that was handed on.
struct CallUnderWay {
    var isLight = false
    var bodyBytes = 0
    /// It has its answer already; the rest of it is read and thrown away.
    var isAnsweredHere = false
}

extension ConnectionHandler {
    /// Whether the call may go on. Where nothing more of its request is to come, its place is taken.
    func isAdmitted(hasBody: Bool) -> Bool {
        guard let place else { return true }
        return hasBody ? !place.isHopeless(isLight: call.isLight) : place.take(bodyBytes: 0, isLight: call.isLight)
    }

    /// Writes the whole answer of the request that was just handed on.
    func answerHere(_ answer: some WholeAnswer, to head: RequestHead) {
        call.isAnsweredHere = true
        // Its body may never come now, and nobody could tell.
        if head.expectsContinue { machine.closeAfterAnswer() }
        machine.answerBegan()
        answer.write(
            connection: fate(after: head, closes: machine.closesAfterAnswer), isHead: isHeadRequest, into: &output)
        machine.answerEnded()
    }

    func attachFramework(_ context: ChannelHandlerContext) {
        guard let attach else { return }
        self.attach = nil
        attach(context.channel)
        context.fireChannelActive()
    }

    func take(_ content: ByteBuffer, _ context: ChannelHandlerContext) {
        call.bodyBytes += content.readableBytes
        if !call.isAnsweredHere { fire(.body(content), context) }
    }

    /// The request is whole: now its work begins, if there is room for it.
    func endRequest(_ context: ChannelHandlerContext) {
        guard !call.isAnsweredHere else { return }
        if let place, machine.isUnanswered, !place.take(bodyBytes: call.bodyBytes, isLight: call.isLight) {
            machine.close()
            OverloadedAnswer.shared.write(connection: fate(closes: true), isHead: false, into: &output)
            return context.fireErrorCaught(ConnectionError.refused)
        }
        fire(.end(nil), context)
    }

    // MARK: Room for others

    /// Whether this connection may be ended to make room: it was of no use since it was last asked, and nobody works for it.
    func isDispensable() -> Bool {
        let isWorkedFor = machine.current != nil && !machine.isReceivingBody && isChannelWritable
        if isWorkedFor || isFinishing { return false }
        defer { wasUseful = false }
        return !wasUseful
    }

    /// Ends the connection without a word, as an idle one.
    func dismiss() { context?.close(promise: nil) }
}
