// From an address to an open channel on one event loop: TCP or unix socket, TLS in front where it is asked for.
// Ends when its task is cancelled, even in the middle of a connect that nobody answers.

import NIOCore
import NIOPosix
import NIOSSL

package struct Connector: RedisTransport {
    let address: RedisAddress
    let eventLoop: any EventLoop
    let limits: RedisLimits

    package init(address: RedisAddress, eventLoop: any EventLoop, limits: RedisLimits = RedisLimits()) {
        self.address = address
        self.eventLoop = eventLoop
        self.limits = limits
    }

    package var name: String { address.description }
    package var surroundings: any Surroundings { SystemSurroundings(eventLoop: eventLoop) }

    /// An open channel whose last handler is what `makeHandler` made. TLS may still be shaking hands.
    func open<Handler: ChannelHandler>(
        _ makeHandler: @escaping @Sendable () -> Handler
    ) async throws(RedisError) -> any Channel {
        let result = await raceWithCancellation(dial(makeHandler))
        switch result {
        case .success(let channel): return channel
        case .failure(let error): throw .unavailable(operation: "connect", reason: ConnectFailure.text(of: error))
        }
    }

    /// A command connection that Redis has let in: AUTH, SELECT and PING are answered.
    package func connect(generation: UInt64) async throws(RedisError) -> any RedisLink {
        let limits = limits
        let channel = try await open { ConnectionHandler(limits: limits) }
        let connection = await RedisConnection(channel: channel, generation: generation, limits: limits)
        let problem = await withTaskCancellationHandler {
            await greet(connection)
        } onCancel: {
            connection.close(reason: "stopped")
        }
        if let problem {
            connection.close(reason: "not let in")
            throw .unavailable(operation: "connect", reason: problem)
        }
        return connection
    }

    package func subscribe(
        to channels: [String], _ kind: PubSub, _ callbacks: SubscriberCallbacks
    ) async throws(RedisError) -> String {
        let ending = Ending()
        let state = SubscriberState(greeting: Greeting(address: address), channels: channels, kind: kind)
        let channel = try await open { [limits] in
            SubscriberHandler(state: state, limits: limits, callbacks: callbacks, onEnd: ending.set)
        }
        await withTaskCancellationHandler {
            try? await channel.closeFuture.get()
        } onCancel: {
            channel.close(promise: nil)
        }
        return try ending.reason()
    }

    /// `nil` once Redis has let the connection in.
    private func greet(_ connection: RedisConnection) async -> String? {
        let greeting = Greeting(address: address)
        do throws(RedisError) {
            let replies = try await connection.pipeline(greeting.commands, timeout: limits.connectTimeout)
            return replies.enumerated().lazy.compactMap { greeting.problem(with: $1, to: $0) }.first
        } catch {
            return ConnectFailure.reason(of: error)
        }
    }

    private func dial<Handler: ChannelHandler>(
        _ makeHandler: @escaping @Sendable () -> Handler
    ) -> EventLoopFuture<any Channel> {
        let address = address
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(limits.connectTimeout))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls = try address.makeTLSHandler() { try channel.pipeline.syncOperations.addHandler(tls) }
                    try channel.pipeline.syncOperations.addHandler(makeHandler())
                }
            }
        return switch address.endpoint {
        case .tcp(let host, let port): bootstrap.connect(host: host, port: port)
        case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
        }
    }

    private func raceWithCancellation(_ opening: EventLoopFuture<any Channel>) async -> Result<any Channel, any Error> {
        let promise = eventLoop.makePromise(of: (any Channel).self)
        let isDecided = NIOLoopBoundBox.makeBoxSendingValue(false, eventLoop: eventLoop)
        opening.whenComplete { result in
            if isDecided.value {
                // Cancelled before: nobody will ever use this channel.
                if case .success(let channel) = result { channel.close(promise: nil) }
                return
            }
            isDecided.value = true
            promise.completeWith(result)
        }
        return await withTaskCancellationHandler {
            do { return .success(try await promise.futureResult.get()) } catch { return .failure(error) }
        } onCancel: {
            eventLoop.execute {
                if isDecided.value { return }
                isDecided.value = true
                promise.fail(CancellationError())
            }
        }
    }
}

extension RedisAddress {
    /// Verifies the certificate for the host's name, or for the address connected to where the host is an IP address.
    fileprivate func makeTLSHandler() throws -> NIOSSLClientHandler? {
        guard let tls, case .tcp(let host, _) = endpoint else { return nil }
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: tls, serverHostname: isAddress ? nil : host)
    }
}
