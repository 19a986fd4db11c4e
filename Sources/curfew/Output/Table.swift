// Columns of text, as wide as their widest cell, two spaces apart.

struct Table {
    private var rows: [[String]] = []

    /// A table with a heading a column.
    init(headings: [String]) { rows = [headings] }

    /// A table of names and values.
    init() {}

    mutating func add(_ cells: String...) { rows.append(cells) }

    /// Without trailing spaces; the last line has no newline.
    var text: String {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.count)
            }
        }
        let lines = rows.map { row in
            let cells = row.enumerated().map { column, cell in
                column == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[column] - cell.count)
            }
            return cells.joined(separator: "  ")
        }
        return lines.map { String($0.reversed().drop { $0 == " " }.reversed()) }.joined(separator: "\n")
    }
}
