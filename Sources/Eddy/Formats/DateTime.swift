// Days and times of day (ISO 8601), and the numbers that a network can learn from: a trend, and angles.
//
//     2024-05-01   2024-05-01T12:34   2024-05-01 12:34:56.789Z   2024-05-01T12:34:56+02:00
//
// Weeks, years and days come round again, so Sunday must stand beside Monday and December beside January: each becomes
// the sine and cosine of an angle. The angles are of the clock and calendar that the sender wrote; only the trend is
// brought to one zone. Days are counted by arithmetic alone (the civil calendar as of Fliegel and Van Flandern 1968, with
// years that begin in March), and sine and cosine are polynomials of our own: no library, table of zones or locale has a
// say, so every machine gets the same bits.

struct DateTime {
    let year: Int
    let month: Int
    let day: Int
    /// Seconds since midnight, as written; nil where only the day is.
    let second: Double?
    /// Seconds that the clock is ahead of UTC.
    let offset: Int

    /// Reads all of the cell; nil where it is anything else.
    init?(_ cell: UnsafeBufferPointer<UInt8>) {
        guard (10...40).contains(cell.count), cell[4] == UInt8(ascii: "-"), cell[7] == UInt8(ascii: "-") else {
            return nil
        }
        var cursor = DateCursor(cell: cell)
        guard let year = cursor.digits(4), cursor.take("-"), let month = cursor.digits(2), cursor.take("-"),
            let day = cursor.digits(2), (1...12).contains(month), day >= 1, day <= DateTime.days(month, of: year)
        else { return nil }
        (self.year, self.month, self.day) = (year, month, day)
        if cursor.isAtEnd {
            (second, offset) = (nil, 0)
            return
        }
        guard cursor.take("T") || cursor.take("t") || cursor.take(" "), let hour = cursor.digits(2), cursor.take(":"),
            let minute = cursor.digits(2), hour < 24, minute < 60
        else { return nil }
        var seconds = Double(hour * 3600 + minute * 60)
        if cursor.take(":") {
            guard let whole = cursor.digits(2), whole <= 60 else { return nil }  // 60: a leap second
            seconds += Double(whole)
            if cursor.take(".") || cursor.take(",") {
                guard let fraction = cursor.fraction() else { return nil }
                seconds += fraction
            }
        }
        guard let offset = cursor.offset(), cursor.isAtEnd else { return nil }
        (second, self.offset) = (seconds, offset)
    }

    // MARK: What is learned from

    /// Writes the inputs of a column of days (see ``Schema/Kind/parts``); the parts that the cell lacks are missing.
    func write(_ kind: Schema.Kind, to row: UnsafeMutablePointer<Float>) {
        let days = DateTime.dayNumber(year, month, day)
        var place = 1
        if kind == .time {
            row[0] = second.map { Float(Double(days) + ($0 - Double(offset)) / 86_400) } ?? Float(days)
            if let second {
                DateTime.writeAngle(second / 86_400, to: row + 1)
            } else {
                (row[1], row[2]) = (.nan, .nan)
            }
            place = 3
        } else {
            row[0] = Float(days)
        }
        DateTime.writeAngle(Double(DateTime.weekday(days)) / 7, to: row + place)
        let yearBegin = DateTime.dayNumber(year, 1, 1)
        let length = DateTime.days(2, of: year) == 29 ? 366.0 : 365.0
        DateTime.writeAngle(Double(days - yearBegin) / length, to: row + place + 2)
    }

    /// Days since 2000-01-01 in the Gregorian calendar, which is nearer to our time than 1970, so that a Float tells more.
    static func dayNumber(_ year: Int, _ month: Int, _ day: Int) -> Int {
        // Years from March on, so that the leap day comes last.
        let y = month > 2 ? year : year - 1
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 730_425
    }

    /// 0 for Monday to 6 for Sunday; 2000-01-01 was a Saturday.
    static func weekday(_ dayNumber: Int) -> Int { ((dayNumber + 5) % 7 + 7) % 7 }

    static func days(_ month: Int, of year: Int) -> Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
    }

    /// Sine and cosine of a part of a full turn, 0 to 1.
    private static func writeAngle(_ turn: Double, to parts: UnsafeMutablePointer<Float>) {
        parts[0] = Float(sine(turn)) + 0
        parts[1] = Float(sine(turn + 0.25)) + 0
    }

    /// sin 2πt for 0 ≤ t < 2, within 10⁻¹⁵: folded to the first quarter turn, then Taylor's series.
    static func sine(_ turn: Double) -> Double {
        var t = turn - turn.rounded(.down)
        let isNegative = t >= 0.5
        if isNegative { t -= 0.5 }
        if t > 0.25 { t = 0.5 - t }
        let x = t * 6.283_185_307_179_586
        let square = x * x
        // x − x³/3! + x⁵/5! − …, from the last: each factor is x² / (2k (2k + 1)).
        var sum = 1.0
        for k in stride(from: 10, to: 0, by: -1) { sum = 1 - square / Double(2 * k * (2 * k + 1)) * sum }
        return isNegative ? -(x * sum) : x * sum
    }
}

/// A place in a cell that may be a day.
private struct DateCursor {
    let cell: UnsafeBufferPointer<UInt8>
    var next = 0

    init(cell: UnsafeBufferPointer<UInt8>) { self.cell = cell }

    var isAtEnd: Bool { next == cell.count }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next < cell.count, cell[next] == UInt8(ascii: character) else { return false }
        next += 1
        return true
    }

    /// Exactly `count` digits as a number.
    mutating func digits(_ count: Int) -> Int? {
        guard next + count <= cell.count else { return nil }
        var value = 0
        for byte in cell[next..<next + count] {
            guard byte &- UInt8(ascii: "0") < 10 else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        next += count
        return value
    }

    /// Digits behind the point; none is nil.
    mutating func fraction() -> Double? {
        let begin = next
        var value = 0
        var scale = 1.0
        while next < cell.count, cell[next] &- UInt8(ascii: "0") < 10 {
            if next - begin < 9 {
                value = value * 10 + Int(cell[next] - UInt8(ascii: "0"))
                scale *= 10
            }
            next += 1
        }
        return next > begin ? Double(value) / scale : nil
    }

    /// `Z`, `+02:00`, `+0200`, `+02`, or nothing, in seconds; nil where it is anything else.
    mutating func offset() -> Int? {
        if isAtEnd || take("Z") || take("z") { return 0 }
        _ = take(" ")
        let isNegative = take("-")
        guard isNegative || take("+"), let hours = digits(2), hours < 24 else { return nil }
        var minutes = 0
        if !isAtEnd {
            _ = take(":")
            guard let given = digits(2), given < 60 else { return nil }
            minutes = given
        }
        return (isNegative ? -1 : 1) * (hours * 3600 + minutes * 60)
    }
}
