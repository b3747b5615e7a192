// Decimal numbers whose extent is known, as between two commas: the value that `DecimalNumber.parse` gives, faster.
//
// A scan must reach a number's end before the next can begin, and guesses at each branch; the lengths of real data
// cannot be guessed. Here the last bytes of the cell are loaded at once, what is not the cell's is masked away, and
// eight or sixteen digits become an integer without a loop or a branch on their number. The integer then meets its
// power of ten in Double, as in DecimalNumber.swift.
//
// Deliberately not here: what has more than 16 characters behind its sign, an exponent or a plus sign, lies near a
// midpoint of two Floats, or is no number. Those cells go to `DecimalNumber.parse`, which decides.

extension DecimalNumber {
    /// The value of the cell from `start` to `end`, −0 as 0; NaN where it is no finite number.
    ///
    /// - Parameter readable: where the buffer begins; from there to `end` every byte may be read.
    @inline(__always)
    static func cell(
        _ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, readable: UnsafePointer<UInt8>
    ) -> Float {
        guard start < end, end - readable >= 16 else { return parsedCell(start, end) }
        let isNegative = start.pointee == UInt8(ascii: "-")
        let digits = start + (isNegative ? 1 : 0)
        let count = end - digits

        guard count > 0 else { return parsedCell(start, end) }
        let ending = characters(end - 8)
        // Standardised features are mostly d.ddd, and then all else is one word.
        if UInt(bitPattern: count &- 3) < 16, digits[1] == UInt8(ascii: ".") {
            let whole = UInt64(digits[0] ^ UInt8(ascii: "0"))
            let fraction = count &- 2
            guard whole < 10 else { return parsedCell(start, end) }
            if fraction <= 8 {
                let word = ending & last(fraction)
                guard areDigits(word) else { return parsedCell(start, end) }
                let mantissa = whole &* integerPowersOfTen[fraction] &+ eightDigits(word)
                return nearestFloat(mantissa, fraction: fraction, isNegative) ?? parsedCell(start, end)
            }
            let word = characters(end - 16) & last(fraction &- 8)
            guard areDigits(word), areDigits(ending) else { return parsedCell(start, end) }
            let upper = whole &* integerPowersOfTen[fraction &- 8] &+ eightDigits(word)
            let mantissa = upper &* 100_000_000 &+ eightDigits(ending)
            return nearestFloat(mantissa, fraction: fraction, isNegative) ?? parsedCell(start, end)
        }

        // Up to eight digits, and then a point and up to seven more, or nothing.
        let word = ending & (count < 8 ? last(count) : ~0)
        let point = points(word)
        let behind = 8 &- point.trailingZeroBitCount >> 3  // the characters from the point on
        let integer = count &- behind
        guard UInt(bitPattern: integer &- 1) < 8 else { return parsedCell(start, end) }
        let upper = characters(end - behind - 8) & last(integer)
        let lower = word & ~(point ^ (point &- 1))  // what comes after the lowest bit of point
        guard areDigits(upper), areDigits(lower) else { return parsedCell(start, end) }
        let fraction = behind &- (behind > 0 ? 1 : 0)
        let mantissa = eightDigits(upper) &* integerPowersOfTen[fraction] &+ eightDigits(lower)
        return nearestFloat(mantissa, fraction: fraction, isNegative) ?? parsedCell(start, end)
    }

    /// The rare cells.
    @inline(never)
    private static func parsedCell(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> Float {
        guard case .success(let value) = parse(start, count: end - start) else { return .nan }
        return value + 0
    }

    /// Whether all eight characters are 0 to 9.
    @inline(__always)
    private static func areDigits(_ word: UInt64) -> Bool {
        ((word &+ 0x7676_7676_7676_7676) | word) & 0x8080_8080_8080_8080 == 0
    }

    /// 0x80 in the first byte of a word that is a point, and nothing below it; above may stand anything.
    @inline(__always)
    private static func points(_ word: UInt64) -> UInt64 {
        let others = word ^ 0x1E1E_1E1E_1E1E_1E1E  // "." ^ "0" is 0x1E
        return (others &- 0x0101_0101_0101_0101) & ~others & 0x8080_8080_8080_8080
    }

    /// The mask of the last `count` bytes of a word, 1 to 8.
    @inline(__always)
    private static func last(_ count: Int) -> UInt64 {
        ~0 &<< UInt64(truncatingIfNeeded: 64 &- 8 &* count)
    }

    /// The Float nearest to ±w / 10^fraction, for w < 10^17 and fraction < 17; nil near a midpoint of two Floats.
    ///
    /// Whatever these can give is zero or far inside the range of normal Floats.
    @inline(__always)
    private static func nearestFloat(_ w: UInt64, fraction: Int, _ isNegative: Bool) -> Float? {
        let product = Double(Int64(bitPattern: w)) * negativePowersOfTen[fraction]
        guard !isDoubtful(product) else { return nil }
        let magnitude = Float(product)
        return Float(bitPattern: magnitude.bitPattern | (isNegative ? 0x8000_0000 : 0)) + 0
    }

    /// 10^-n, each at most one unit of 2^-53 from exact.
    private static let negativePowersOfTen: [Double] = [
        1e0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14, 1e-15,
        1e-16,
    ]
}
