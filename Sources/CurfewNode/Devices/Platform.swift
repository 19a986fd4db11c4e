// What a device runs, told from its User-Agent where nobody says so. For people who look at their sessions: nothing is decided by it.

enum Platform {
    /// The first that is found counts: an iPad says "like Mac OS X", Android says "Linux".
    private static let marks: [(text: String, name: String)] = [
        ("iPhone", "ios"), ("iPad", "ios"), ("iPod", "ios"), ("Android", "android"), ("Windows", "windows"),
        ("CrOS", "chromeos"), ("Macintosh", "macos"), ("Mac OS X", "macos"), ("Linux", "linux"),
    ]

    /// `nil` where nothing is known of it, as of most programs that are no browsers.
    static func named(inUserAgent text: String) -> String? {
        marks.first { text.contains($0.text) }?.name
    }
}
