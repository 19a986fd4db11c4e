// What is said first on every connection: AUTH, SELECT, and a PING that brings out a server which is loading, full,
// protected or wants a password. Sent in one write; every answer is checked before anybody else may use the connection.

/// The commands of one address and the judgement of their replies.
struct Greeting: Sendable {
    let commands: [RedisCommand]
    private let secret: String?

    init(address: RedisAddress) {
        var commands: [RedisCommand] = []
        if let password = address.password {
            let user = address.user.map { [RedisArgument($0)] } ?? []
            commands.append(RedisCommand("AUTH", user + [RedisArgument(password)]))
        }
        if address.database != 0 { commands.append(RedisCommand("SELECT", [RedisArgument(address.database)])) }
        commands.append(RedisCommand("PING"))
        self.commands = commands
        secret = address.password
    }

    /// `nil` where the reply to the command of that index is as it should be; else the reason, without the password.
    func problem(with reply: RedisValue, to index: Int) -> String? {
        let operation = commands[index].operation
        switch reply {
        case .status("OK") where operation != "PING": return nil
        case .status("PONG") where operation == "PING": return nil
        case .error(let message):
            if let secret, !secret.isEmpty, message.contains(secret) {
                return "\(operation): refused"
            }
            return "\(operation): \(message)"
        case .null, .integer, .bytes, .status, .array: return "\(operation): the reply is not OK"
        }
    }
}
