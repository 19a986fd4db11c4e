// One Redis server in the simulated network: its data and its clock, who is connected, and whether it runs at all.

import CurfewRedis

final class SimulatedServer {
    let index: Int
    var redis: SimulatedRedisServer
    private(set) var isAlive = true
    /// SIGSTOP: connections stand, nothing is answered.
    private(set) var isStopped = false
    /// Its wall clock is so far ahead of true time.
    var clockOffsetMicroseconds: Int64 = 0 { didSet { clockSteppedAt = agenda.now } }
    private(set) var clockSteppedAt: Int64 = .min
    private(set) var connections: [SimulatedConnection] = []
    private let agenda: Agenda
    private let lua: LuaMachine
    /// Told of every command after it was executed, before its reply leaves.
    var onExecuted: (SimulatedServer, SimulatedConnection, RedisCommand, Execution) -> Void = { _, _, _, _ in }

    init(index: Int, redis: SimulatedRedisServer, agenda: Agenda, lua: LuaMachine) {
        self.index = index
        self.redis = redis
        self.agenda = agenda
        self.lua = lua
    }

    var clockMicroseconds: Int64 { agenda.wallMicroseconds + clockOffsetMicroseconds }

    func accept(_ connection: SimulatedConnection) -> Bool {
        if isAlive { connections.append(connection) }
        return isAlive
    }

    func forget(_ connection: SimulatedConnection) { connections.removeAll { $0 === connection } }

    func execute(_ command: RedisCommand, from connection: SimulatedConnection) -> RedisValue {
        let execution = redis.execute(command, atMicroseconds: clockMicroseconds, lua: lua)
        for (channel, message) in execution.published {
            for subscriber in connections { subscriber.published(channel, message) }
        }
        onExecuted(self, connection, command, execution)
        return execution.reply
    }

    /// Answers a question of the simulation's own; nobody else sees it.
    func ask(_ command: RedisCommand) -> RedisValue {
        var copy = redis
        return copy.execute(command, atMicroseconds: clockMicroseconds, lua: lua).reply
    }

    func dropConnections() { for connection in connections { connection.closeAtServer() } }

    func kill() {
        isAlive = false
        dropConnections()
    }

    func start() { isAlive = true }

    func setStopped(_ isStopped: Bool) {
        self.isStopped = isStopped
        if !isStopped { for connection in connections { connection.flush() } }
    }
}
