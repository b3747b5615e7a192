// Decimal numbers, from bytes to Float: the inner loop of the CSV and JSON decoders.
//
// The value is bit for bit that of C's strtof in the "C" locale, subnormals, midpoints and the sign of zero included,
// at a fraction of its time. Up to 19 digits are gathered in an integer w (eight at a time within one 64-bit word:
// Lemire, "Number parsing at a gigabyte per second", 2021), then w · 10^e is computed in Double, with one
// multiplication. That product is not always the nearest Double, but its error is below four units in its last place,
// and a Double has 29 bits more than a Float: unless the product lies within four units of the midpoint of two Floats
// (Clinger, "How to read floating point numbers accurately", 1990), it rounds to the same Float as the exact value
// does. Near a midpoint and below the normal range, strtof decides.
//
// Deliberately not here: hexadecimal, nan, inf, blanks, digit separators, decimal commas. A caller that wants no
// negative zero replaces it.

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A number in decimal digits: `[+-]? (digits [. digits?]? | . digits) ([eE] [+-]? digits)?`, and nothing else.
///
///     let cell = Array("-1.5e3".utf8)
///     let value = cell.withUnsafeBufferPointer { DecimalNumber.parse($0.baseAddress!, count: $0.count) }
///     // .success(-1500)
enum DecimalNumber {
    /// Why bytes gave no Float.
    enum Failure: Error {
        /// The bytes do not follow the grammar.
        case notANumber
        /// The number is well formed, but its magnitude rounds to infinity in Float. (Underflow is no failure: ±0.)
        case outOfRange
    }

    /// A trivial value of five bytes, returned in registers: neither a throw nor an existential nor an allocation.
    typealias Outcome = Result<Float, Failure>

    // MARK: - Parsing

    /// Parses all of the `count` bytes from `start`; a single byte that is not part of the number fails the whole.
    ///
    /// Where the number stands in a longer buffer, `scan` is faster: it may then read eight bytes at a time.
    static func parse(_ start: UnsafePointer<UInt8>, count: Int) -> Outcome {
        let end = start + count
        var cursor = start
        let outcome = scan(&cursor, end: end)
        return cursor == end ? outcome : .failure(.notANumber)
    }

    /// Parses the longest number at `cursor` and moves `cursor` past it; no byte at or after `end` is read.
    ///
    /// As with strtof, an exponent without digits is not part of the number: `1e+` leaves `cursor` at the `e`.
    /// After `.notANumber` the cursor is where it was; after `.outOfRange` it is past the number.
    @inline(__always)
    static func scan(_ cursor: inout UnsafePointer<UInt8>, end: UnsafePointer<UInt8>) -> Outcome {
        let start = cursor
        guard start < end else { return .failure(.notANumber) }
        // The sign of data is as good as random, so no branch may depend on it.
        let isNegative = start.pointee == UInt8(ascii: "-")
        var next = start + (isNegative || start.pointee == UInt8(ascii: "+") ? 1 : 0)

        // Beyond 19 digits the integer wraps around; this is noticed below.
        let integer = next
        var mantissa: UInt64 = 0
        if end - next > 1, next[1] == UInt8(ascii: "."), isDigit(next[0]) {
            // The common cell, d.ddd: as a predicted branch this takes the place of the fraction out of the chain of
            // dependences from one cell's cursor to the next one's, which is what bounds the speed of a scan.
            mantissa = UInt64(next[0] &- UInt8(ascii: "0"))
            next += 1
        } else {
            gatherDigits(&next, end: end, into: &mantissa)
        }
        var digits = next - integer
        var exponent = 0
        if next < end, next.pointee == UInt8(ascii: ".") {
            next += 1
            let fraction = next
            gatherDigits(&next, end: end, into: &mantissa)
            exponent = fraction - next
            digits -= exponent
        }
        guard digits > 0 else { return .failure(.notANumber) }
        if next < end, next.pointee | 0x20 == UInt8(ascii: "e") {
            exponent += readExponent(&next, end: end)
        }
        cursor = next

        if digits <= maximumDigits {
            if let magnitude = nearestFloat(mantissa, timesTenTo: exponent) {
                return signed(magnitude, isNegative: isNegative)
            }
            // 16777217 and its like are midpoints, and common as identifiers.
            if exponent == 0 { return signed(Float(mantissa), isNegative: isNegative) }
        }
        return signed(exactMagnitude(integer, end: next), isNegative: isNegative)
    }

    /// Whether all of the `count` bytes from `start` are a number of RFC 8259, section 6.
    ///
    /// JSON's grammar is the stricter: no leading `+`, no leading zeros, digits on both sides of a point. What this
    /// accepts, `parse` and `scan` accept too, with the same extent.
    static func isJSONNumber(_ start: UnsafePointer<UInt8>, count: Int) -> Bool {
        let end = start + count
        var next = start
        if next < end, next.pointee == UInt8(ascii: "-") { next += 1 }
        let integer = next
        skipDigits(&next, end: end)
        guard next > integer, next - integer == 1 || integer.pointee != UInt8(ascii: "0") else { return false }
        if next < end, next.pointee == UInt8(ascii: ".") {
            next += 1
            let fraction = next
            skipDigits(&next, end: end)
            guard next > fraction else { return false }
        }
        if next < end, next.pointee | 0x20 == UInt8(ascii: "e") {
            _ = readExponent(&next, end: end)
        }
        return next == end
    }

    // MARK: - Digits

    /// w < 10^19 fits a UInt64.
    private static let maximumDigits = 19

    /// mantissa = mantissa · 10^n + the n digits at `next`, modulo 2^64.
    @inline(__always)
    private static func gatherDigits(
        _ next: inout UnsafePointer<UInt8>, end: UnsafePointer<UInt8>, into mantissa: inout UInt64
    ) {
        while end - next >= 8 {
            let word = characters(next)
            let count = leadingDigits(word)
            mantissa = mantissa &* integerPowersOfTen[count] &+ eightDigits(word << UInt64(64 - 8 * count))
            next += count
            if count < 8 { return }
        }
        while next < end, isDigit(next.pointee) {
            mantissa = mantissa &* 10 &+ UInt64(next.pointee &- UInt8(ascii: "0"))
            next += 1
        }
    }

    /// Eight characters less "0", the first in the lowest byte.
    @inline(__always)
    static func characters(_ start: UnsafePointer<UInt8>) -> UInt64 {
        UInt64(littleEndian: UnsafeRawPointer(start).loadUnaligned(as: UInt64.self)) ^ 0x3030_3030_3030_3030
    }

    /// How many of the characters, from the first, are digits: 0 to 8.
    @inline(__always)
    private static func leadingDigits(_ word: UInt64) -> Int {
        // Adding 0x76 sets the top bit of a byte above 9. A carry can only come from a byte that is no digit, and no
        // byte after the first of those matters.
        let others = ((word &+ 0x7676_7676_7676_7676) | word) & 0x8080_8080_8080_8080
        return others.trailingZeroBitCount >> 3
    }

    /// The number whose eight digits, 0 to 9, are the bytes of `word`, the most significant digit lowest.
    @inline(__always)
    static func eightDigits(_ word: UInt64) -> UInt64 {
        let pairs = word &* 10 &+ (word >> 8)  // in bytes 0, 2, 4, 6
        let mask: UInt64 = 0x0000_00FF_0000_00FF
        // The upper half sums pair0 · 10^6 + pair2 · 10^2 and pair1 · 10^4 + pair3.
        let outer = (pairs & mask) &* (100 + (1_000_000 << 32))
        let inner = ((pairs >> 16) & mask) &* (1 + (10_000 << 32))
        return (outer &+ inner) >> 32
    }

    /// The exponent from the `e` at `next`, held below 10^18; without digits it is 0 and `next` stays.
    @inline(__always)
    private static func readExponent(_ next: inout UnsafePointer<UInt8>, end: UnsafePointer<UInt8>) -> Int {
        var probe = next + 1
        guard probe < end else { return 0 }
        let isNegative = probe.pointee == UInt8(ascii: "-")
        if isNegative || probe.pointee == UInt8(ascii: "+") { probe += 1 }
        guard probe < end, isDigit(probe.pointee) else { return 0 }
        var value = 0
        while probe < end, isDigit(probe.pointee) {
            // Far more than the digits that memory can hold, so a mantissa of a million zeros cannot bring it back.
            if value < 100_000_000_000_000_000 { value = value &* 10 &+ Int(probe.pointee &- UInt8(ascii: "0")) }
            probe += 1
        }
        next = probe
        return isNegative ? -value : value
    }

    @inline(__always)
    private static func isDigit(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "0") < 10
    }

    @inline(__always)
    private static func skipDigits(_ next: inout UnsafePointer<UInt8>, end: UnsafePointer<UInt8>) {
        while next < end, isDigit(next.pointee) { next += 1 }
    }

    // MARK: - Rounding

    /// How near to a midpoint of two Floats, in units of the Double's last place, the product may not come.
    ///
    /// In units of 2^-53 of the value, rounding w, the power of ten and the product costs at most 1 each, and digits
    /// left out after the 19th at most 10^-18 · 2^53 < 0.01; a unit in the last place is at least 2^-53 of the value.
    private static let doubtfulUnits: UInt64 = 4

    /// The Float nearest to w · 10^exponent (infinity where it overflows); nil where the product cannot tell.
    ///
    /// The exact value may be up to one unit of w above, as it is where further digits follow 19 of them.
    @inline(__always)
    private static func nearestFloat(_ w: UInt64, timesTenTo exponent: Int) -> Float? {
        let index = exponent &- smallestExponent
        guard UInt(bitPattern: index) < UInt(bitPattern: powersOfTen.count) else { return nil }
        let product = Double(w) * powersOfTen[index]
        let bits = product.bitPattern
        // Subnormal Floats have their midpoints elsewhere. Zero is exact, and frequent: less one it is the largest.
        guard bits &- 1 >= Double(Float.leastNormalMagnitude).bitPattern &- 1 else { return nil }
        return isDoubtful(product) ? nil : Float(product)
    }

    /// Whether a product in the range of normal Floats lies too near to a midpoint of two of them.
    @inline(__always)
    static func isDoubtful(_ product: Double) -> Bool {
        // The midpoint of two normal Floats is a Double whose lower 29 bits are 1 followed by zeros, and so is the
        // boundary between the largest Float and infinity.
        let midpoint: UInt64 = 0x1000_0000
        return (product.bitPattern & 0x1FFF_FFFF) &- (midpoint - doubtfulUnits) <= 2 * doubtfulUnits
    }

    @inline(__always)
    private static func signed(_ magnitude: Float, isNegative: Bool) -> Outcome {
        guard magnitude < .infinity else { return .failure(.outOfRange) }
        return .success(Float(bitPattern: magnitude.bitPattern | (isNegative ? 0x8000_0000 : 0)))
    }

    // MARK: - The rare cases

    /// Significant digits that reach strtof.
    ///
    /// The midpoints of Floats have at most 113, so behind 128 it only matters whether anything but zeros follows: a
    /// final 1 stands for it. This bounds the copy, and the time, whatever the length of the input.
    private static let keptDigits = 128

    /// The magnitude of the well-formed unsigned number that ends at `end`, infinity where it overflows.
    ///
    /// The copy for strtof is `digits e exponent`, without a decimal point: the radix character is all that a process
    /// which calls setlocale could change about it (one that does not has the "C" locale in any case).
    @inline(never)
    private static func exactMagnitude(_ start: UnsafePointer<UInt8>, end: UnsafePointer<UInt8>) -> Float {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: keptDigits + 8) { text in
            var next = start
            var kept = 0
            var leading: UInt64 = 0  // the first 19 significant digits
            var exponent = 0  // of the digit after the last kept one, counted up
            var isInFraction = false
            var isInexact = false
            while next < end, next.pointee | 0x20 != UInt8(ascii: "e") {
                let byte = next.pointee
                next += 1
                if byte == UInt8(ascii: ".") {
                    isInFraction = true
                    continue
                }
                if isInFraction { exponent -= 1 }
                if kept == 0, byte == UInt8(ascii: "0") { continue }
                if kept < keptDigits {
                    text[kept] = CChar(truncatingIfNeeded: byte)
                    if kept < maximumDigits { leading = leading * 10 + UInt64(byte - UInt8(ascii: "0")) }
                    kept += 1
                } else {
                    exponent += 1
                    if byte != UInt8(ascii: "0") { isInexact = true }
                }
            }
            if next < end { exponent += readExponent(&next, end: end) }

            // 10^(magnitude - 1) <= value < 10^magnitude; the range of Float is 0.7e-45 (half the least) to 3.4e38.
            let magnitude = exponent + kept
            if kept == 0 || magnitude < -45 { return 0 }
            if magnitude > 39 { return .infinity }

            let gathered = min(kept, maximumDigits)
            if let float = nearestFloat(leading, timesTenTo: magnitude - gathered) { return float }

            if isInexact {
                text[kept] = CChar(bitPattern: UInt8(ascii: "1"))
                kept += 1
                exponent -= 1
            }
            text[kept] = CChar(bitPattern: UInt8(ascii: "e"))
            text[kept + 1] = CChar(bitPattern: UInt8(ascii: exponent < 0 ? "-" : "+"))
            let size = exponent.magnitude  // at most 45 + 129
            text[kept + 2] = CChar(truncatingIfNeeded: 48 + size / 100)  // 48 is "0"
            text[kept + 3] = CChar(truncatingIfNeeded: 48 + size / 10 % 10)
            text[kept + 4] = CChar(truncatingIfNeeded: 48 + size % 10)
            text[kept + 5] = 0
            return strtof(text.baseAddress!, nil)
        }
    }

    // MARK: - Tables

    static let integerPowersOfTen: [UInt64] = [
        1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000,
    ]

    /// Of the exponents that can give a finite Float other than zero with a 19-digit w: below, w · 10^e < 10^-46.
    private static let smallestExponent = -65

    /// 10^-65 to 10^38, each at most one unit of 2^-53 from exact.
    private static let powersOfTen: [Double] = [
        1e-65, 1e-64, 1e-63, 1e-62, 1e-61, 1e-60, 1e-59, 1e-58, 1e-57, 1e-56, 1e-55, 1e-54, 1e-53, 1e-52, 1e-51,
        1e-50, 1e-49, 1e-48, 1e-47, 1e-46, 1e-45, 1e-44, 1e-43, 1e-42, 1e-41, 1e-40, 1e-39, 1e-38, 1e-37, 1e-36,
        1e-35, 1e-34, 1e-33, 1e-32, 1e-31, 1e-30, 1e-29, 1e-28, 1e-27, 1e-26, 1e-25, 1e-24, 1e-23, 1e-22, 1e-21,
        1e-20, 1e-19, 1e-18, 1e-17, 1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5,
        1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
        1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32, 1e33,
        1e34, 1e35, 1e36, 1e37, 1e38,
    ]
}
