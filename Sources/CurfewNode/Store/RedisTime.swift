// What TIME answers.

import CurfewRedis

extension RedisValue {
    /// Redis' clock (UNIX ms), of a reply to `TIME`.
    func unixMilliseconds() throws(RedisError) -> Int64 {
        let time = try checked(for: "TIME").array(for: "TIME")
        guard time.count == 2, let seconds = Int64(try time[0].text(for: "TIME")),
            let microseconds = Int64(try time[1].text(for: "TIME"))
        else { throw .unexpectedReply(operation: "TIME", expected: "two numbers") }
        return seconds * 1000 + microseconds / 1000
    }
}
