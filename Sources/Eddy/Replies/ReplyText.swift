// Bytes of replies, written without making strings of numbers.

/// Text in UTF-8 that grows at its end.
struct ReplyText: Sendable {
    private(set) var bytes: [UInt8] = []

    var isEmpty: Bool { bytes.isEmpty }

    /// What was written, leaving nothing.
    mutating func take() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }

    mutating func write(_ text: String) { bytes.append(contentsOf: text.utf8) }

    @inline(__always)
    mutating func write(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func write(_ text: [UInt8]) { bytes.append(contentsOf: text) }

    /// A number, as short as reads back to the same.
    @inline(__always)
    mutating func write(_ value: Float) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: ShortestFloat.room) { room in
            let count = ShortestFloat.write(value, to: room.baseAddress!)
            bytes.append(contentsOf: UnsafeBufferPointer(start: room.baseAddress!, count: count))
        }
    }

    mutating func write(_ number: UInt64) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { room in
            var (place, rest) = (20, number)
            repeat {
                place -= 1
                room[place] = UInt8(ascii: "0") + UInt8(rest % 10)
                rest /= 10
            } while rest > 0
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: room[place...]))
        }
    }
}
