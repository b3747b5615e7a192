// DecimalNumber against C's strtof, bit for bit, on everything that parsers of numbers get wrong: midpoints of two
// Floats and their decimal neighbours, the subnormal range, both ends of it, long mantissas and vast exponents; then
// the grammar, and that no byte behind the end is touched. The random inputs are the same in every run.

import Testing

@testable import Eddy

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite struct DecimalNumberTests {
    // MARK: - Values

    @Test(arguments: ["shortest", "%.6g", "%.9g", "%.17g", "%.25e", "%.50f"])
    func randomFloats_haveTheBitsOfStrtof(format: String) {
        var random = SplitMix64(state: 1)
        var check = Comparison()
        for _ in 0..<samples(250_000) {
            let float = randomFloat(using: &random)
            check(format == "shortest" ? Array("\(float)".utf8) : formatted(format, Double(float)))
        }
        for _ in 0..<samples(100_000) where format != "shortest" {
            // Doubles of every magnitude of Float, so that the digits go on behind the Float.
            let exponent = Double(Int.random(in: -152...129, using: &random))
            check(formatted(format, Double.random(in: -2..<2, using: &random) * exp2(exponent)))
        }
        #expect(check.mismatches.isEmpty)
    }

    @Test func everyFloat_comesBackFromItsShortestDescription() {
        var random = SplitMix64(state: 2)
        var failures: [Float] = []
        for _ in 0..<samples(500_000) {
            let float = randomFloat(using: &random)
            guard case .success(let value) = parse(Array("\(float)".utf8)), value.bitPattern == float.bitPattern else {
                failures.append(float)
                continue
            }
        }
        #expect(failures.isEmpty)
    }

    @Test func randomDigitStrings_haveTheBitsOfStrtof() {
        var random = SplitMix64(state: 3)
        var check = Comparison()
        for _ in 0..<samples(1_500_000) { check(randomDecimal(using: &random)) }
        #expect(check.mismatches.isEmpty)
    }

    /// The decimal expansion of the midpoint is exact; one more digit, or one less, must tip it over to either side.
    @Test func midpointsAndTheirDecimalNeighbours_roundAsStrtof() {
        var random = SplitMix64(state: 4)
        var check = Comparison()
        for index in 0..<samples(100_000) {
            // A third of them subnormal, where the midpoints have the most digits.
            var pattern = UInt32.random(in: 0..<0x7F7F_FFFF, using: &random)
            if index % 3 == 0 { pattern &= 0x007F_FFFF }
            let below = Double(Float(bitPattern: pattern))
            let above = Double(Float(bitPattern: pattern + 1))
            checkNeighbours(of: (below + above) / 2, &check)
        }
        #expect(check.mismatches.isEmpty)
    }

    /// As those a client would send: few digits, no exponent.
    @Test func midpointsInFewDigits_roundToEven() {
        var random = SplitMix64(state: 5)
        var check = Comparison()
        for _ in 0..<samples(200_000) {
            let odd = Int.random(in: 1 << 23..<1 << 24, using: &random) * 2 + 1  // 25 bits: between two Floats
            for text in ["\(odd)", "\(odd).0", "\(odd)000e-3", "\(Double(odd) / 2)", "\(Double(odd) / 1024)"] {
                check(Array(text.utf8))
            }
        }
        #expect(check.mismatches.isEmpty)
        #expect(value("16777217") == 16_777_216)
        #expect(value("16777217.0000000000000000000000000000000000000001") == 16_777_218)
        #expect(value("16777219") == 16_777_220)
        #expect(value("16777218.9999999999999999999999999999999999999999") == 16_777_218)
    }

    @Test func boundariesOfTheRange_areThoseOfStrtof() {
        var check = Comparison()
        let largest = Double(Float.greatestFiniteMagnitude)
        let smallest = Double(Float.leastNonzeroMagnitude)
        let normal = Double(Float.leastNormalMagnitude)
        for number in [
            largest, largest + largest.ulp, 0x1.FFFFFFp127, (0x1.FFFFFFp127).nextUp, (0x1.FFFFFFp127).nextDown, 0x1p128,
            normal, normal.nextDown, normal.nextUp, normal - smallest, normal - smallest / 2, normal + smallest / 2,
            smallest, smallest / 2, (smallest / 2).nextUp, (smallest / 2).nextDown, smallest * 1.5, smallest / 4,
        ] {
            checkNeighbours(of: number, &check)
        }
        #expect(check.mismatches.isEmpty)

        #expect(value("3.4028234663852886e38") == .greatestFiniteMagnitude)
        #expect(value("340282346638528859811704183484516925440") == .greatestFiniteMagnitude)
        #expect(value("340282356779733661637539395458142568447") == .greatestFiniteMagnitude)
        #expect(failure("340282356779733661637539395458142568448") == .outOfRange)
        #expect(failure("-3.4028236e38") == .outOfRange)
        #expect(value("1.17549435e-38") == .leastNormalMagnitude)
        #expect(value("1.4e-45") == .leastNonzeroMagnitude)
        #expect(value("7.1e-46") == .leastNonzeroMagnitude)
        #expect(value("7.0e-46") == 0)
    }

    @Test func underflow_givesZeroWithItsSign_andOverflowIsOutOfRange() {
        for text in [
            "0", "0.0", ".0", "0.", "0e999", "0e-999", "0e99999999999999999999999", "1e-46", "1e-400",
            "1e-99999999999999999999999", "0.00000000000000000000000000000000000000000000000000001",
        ] {
            #expect(value(text)?.bitPattern == 0, "\(text)")
            #expect(value("-" + text)?.bitPattern == 0x8000_0000, "-\(text)")
        }
        for text in ["1e39", "1e400", "1e99999999999999999999999", "999999999999999999999999999999999999999999"] {
            #expect(failure(text) == .outOfRange, "\(text)")
            #expect(failure("-" + text) == .outOfRange, "-\(text)")
        }
    }

    @Test func veryLongInput_isExact() {
        let zeros = String(repeating: "0", count: 1_000_000)
        #expect(value("0." + zeros + "15e1000001") == 1.5)
        #expect(value("25" + zeros + "e-1000001") == 2.5)
        #expect(value(zeros + "7") == 7)
        #expect(value("16777217." + zeros) == 16_777_216)
        #expect(value("16777217." + zeros + "1") == 16_777_218)
        #expect(value("16777217" + zeros + "1e-1000001") == 16_777_218)
        #expect(failure("1" + zeros) == .outOfRange)
        #expect(value("0." + zeros + "1")?.bitPattern == 0)
        #expect(value("0." + String(repeating: "3", count: 1_000_000)) == Float(1) / 3)

        var random = SplitMix64(state: 6)
        var check = Comparison()
        for _ in 0..<samples(2_000) {
            let digits = (0..<Int.random(in: 100...1_000, using: &random)).map { _ in
                UInt8.random(in: 48...57, using: &random)
            }
            check(digits + Array("e-\(digits.count + Int.random(in: -39...46, using: &random))".utf8))
        }
        #expect(check.mismatches.isEmpty)
    }

    // MARK: - Grammar

    static let numbers = [
        "0", "7", "+7", "-7", "007", "-1.5e3", "1.", "1.5", ".5", "-.5", "+.5", "1e5", "1E5", "1e+5", "1e-5", "1.e5",
        ".5e1", "-0", "-0.0", "1e05", "12345678", "1234567.", "123456789.123456789", "1e0000000000000000000000001",
    ]

    static let others = [
        "", " ", "+", "-", ".", "+.", "-.", "e", "e5", ".e5", "-e5", "1e", "1e+", "1e-", "1e.5", "1e5.", "1.5.", "1..5",
        "--1", "+-1", "-+1", " 1", "1 ", "\t1", "1\n", "1,5", "1_000", "1'000", "0x10", "0x1p3", "nan", "NaN", "inf",
        "-inf", "Infinity", "1f", "1d", "1e5e5", "1/2", "1:", "/", ":", "é", "1é", "１", "1\0", "12345678x", "1234567/",
        "1234567:", "1e400x", "x1e400",
    ]

    @Test(arguments: numbers)
    func aNumberOfTheGrammar_isAccepted(text: String) {
        #expect(value(text)?.bitPattern == strtof(text, nil).bitPattern)
    }

    @Test(arguments: others)
    func anythingElse_isNotANumber(text: String) {
        #expect(failure(text) == .notANumber)
    }

    @Test func everyByteThatIsNoDigit_endsTheDigits() {
        let grammar = Set("0123456789.eE".utf8)
        for byte in UInt8.min...UInt8.max where !grammar.contains(byte) {
            // Within the first word of eight, within later ones, and among the last few bytes.
            for place in 1...23 {
                var text = [UInt8](repeating: 49, count: 24)
                text[place] = byte
                #expect(parse(text) == .failure(.notANumber))
                #expect(scan(text).used == place)
            }
        }
    }

    @Test(arguments: [
        ("12,34", 2), ("1.5\n", 3), ("1e,", 1), ("1e+,", 1), ("1e-x", 1), ("2.5e+7;", 6), ("1.2.3", 3), ("1e5.5", 3),
        ("0x10", 1), ("-7 ", 2), ("1.,", 2), ("1234567890123456789012345678,", 28), ("1e999,", 5), ("-,", 0),
        ("abc", 0), (".,", 0), ("+.e1", 0),
    ])
    func scan_usesTheLongestNumberAtTheStart(text: String, used: Int) {
        let (outcome, count) = scan(Array(text.utf8))
        #expect(count == used)
        #expect((outcome == .failure(.notANumber)) == (used == 0))
        #expect((outcome == .failure(.outOfRange)) == text.hasPrefix("1e999"))
    }

    @Test func JSONNumbers_areThoseOfRFC8259() {
        for text in [
            "0", "-0", "7", "-7", "10", "0.5", "-0.5", "1.05", "1e5", "1E5", "1e+5", "1e-5", "1e05", "0e0", "1.5e400",
        ] {
            #expect(isJSONNumber(text), "\(text)")
            #expect(failure(text) != .notANumber, "\(text)")
        }
        for text in Self.others + ["+7", "007", "00", "-01", "01.5", "1.", ".5", "-.5", "1.e5", ".5e1", "-", "0."] {
            #expect(!isJSONNumber(text), "\(text)")
        }
    }

    // MARK: - Memory

    /// The text ends where a page ends, and the next page may not be read: one byte too many is a crash.
    @Test func noByteBehindTheEnd_isRead() throws {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let memory = try #require(mmap(nil, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0))
        try #require(memory != MAP_FAILED)
        defer { munmap(memory, 2 * page) }
        try #require(mprotect(memory + page, page, PROT_NONE) == 0)
        let end = memory + page

        var random = SplitMix64(state: 7)
        var texts = (Self.numbers + Self.others).map { Array($0.utf8) }
        for _ in 0..<samples(20_000) { texts.append(randomDecimal(using: &random)) }
        var failures = 0
        for text in texts {
            // Every prefix too: cut in the middle of digits, at the point, in the exponent.
            for count in 0...text.count {
                let start = (end - count).assumingMemoryBound(to: UInt8.self)
                for (index, byte) in text.prefix(count).enumerated() { start[index] = byte }
                let expected = parse(Array(text.prefix(count)) + [0], count: count)
                if DecimalNumber.parse(start, count: count) != expected { failures += 1 }
                var cursor = UnsafePointer(start)
                _ = DecimalNumber.scan(&cursor, end: start + count)
                if DecimalNumber.isJSONNumber(start, count: count), case .failure(.notANumber) = expected {
                    failures += 1
                }
            }
        }
        #expect(failures == 0)
    }

    // MARK: - Support

    /// An unoptimised build takes some twenty times as long, and need not see as many.
    private func samples(_ count: Int) -> Int {
        #if DEBUG
            count / 20
        #else
            count
        #endif
    }

    private func parse(_ text: [UInt8], count: Int? = nil) -> DecimalNumber.Outcome {
        text.withUnsafeBytes {
            // An empty array need not have an address.
            guard let start = $0.bindMemory(to: UInt8.self).baseAddress else { return .failure(.notANumber) }
            return DecimalNumber.parse(start, count: count ?? text.count)
        }
    }

    private func scan(_ text: [UInt8]) -> (outcome: DecimalNumber.Outcome, used: Int) {
        text.withUnsafeBufferPointer {
            var cursor = $0.baseAddress!
            let outcome = DecimalNumber.scan(&cursor, end: $0.baseAddress! + text.count)
            return (outcome, cursor - $0.baseAddress!)
        }
    }

    private func value(_ text: String) -> Float? {
        try? parse(Array(text.utf8)).get()
    }

    private func failure(_ text: String) -> DecimalNumber.Failure? {
        if case .failure(let failure) = parse(Array(text.utf8)) { failure } else { nil }
    }

    private func isJSONNumber(_ text: String) -> Bool {
        (Array(text.utf8) + [0]).withUnsafeBufferPointer {
            DecimalNumber.isJSONNumber($0.baseAddress!, count: $0.count - 1)
        }
    }

    /// Any finite Float, every bit pattern as likely.
    private func randomFloat(using random: inout SplitMix64) -> Float {
        while true {
            let float = Float(bitPattern: UInt32.random(in: .min ... .max, using: &random))
            if float.isFinite { return float }
        }
    }

    /// A sign or none, 1 to 50 digits with a point anywhere or nowhere, an exponent or none; often about Float's range.
    private func randomDecimal(using random: inout SplitMix64) -> [UInt8] {
        var text: [UInt8] = []
        switch Int.random(in: 0..<6, using: &random) {
        case 0, 1: text.append(UInt8(ascii: "-"))
        case 2: text.append(UInt8(ascii: "+"))
        default: break
        }
        let digits = Int.random(in: 1...(Bool.random(using: &random) ? 12 : 50), using: &random)
        let point = Int.random(in: 0...2 * digits, using: &random)
        let zeros = Int.random(in: 0..<4, using: &random) == 0 ? Int.random(in: 0...digits, using: &random) : 0
        for place in 0..<digits {
            if place == point { text.append(UInt8(ascii: ".")) }
            text.append(place < zeros ? 48 : UInt8.random(in: 48...57, using: &random))
        }
        if point == digits { text.append(UInt8(ascii: ".")) }
        if Bool.random(using: &random) {
            let exponent =
                switch Int.random(in: 0..<4, using: &random) {
                case 0: Int.random(in: -30...30, using: &random)
                case 1: Int.random(in: -500...500, using: &random)
                default: Int.random(in: -46...39, using: &random) - min(point, digits) + zeros
                }
            text += Array("\(Bool.random(using: &random) ? "e" : "E")\(exponent)".utf8)
        }
        return text
    }

    /// Checks a positive Double's exact decimal expansion, and the decimals just above and just below.
    private func checkNeighbours(of number: Double, _ check: inout Comparison) {
        // "d.ddd…e±dd": 120 digits hold any midpoint of Floats; 800 hold any Double.
        let text = formatted(number.significandWidth > 25 ? "%.800e" : "%.120e", number)
        let mark = text.firstIndex(of: UInt8(ascii: "e"))!
        var digits = Array(text[..<mark])
        let suffix = text[mark...]
        check(digits + suffix)
        check(digits + [49] + suffix)
        while digits.last == 48 { digits.removeLast() }
        check(digits + suffix)
        check(digits + [49] + suffix)
        // One less in the last place, which is not zero (or is the point of a whole number: "1." becomes "0.9").
        if digits.last == UInt8(ascii: ".") {
            digits[0] -= 1
            digits.append(57)
        } else {
            digits[digits.count - 1] -= 1
        }
        check(digits + suffix)
        check(digits + [57, 57, 57] + suffix)
        // The start alone, as a program that prints 17 or 20 digits would send it.
        check(digits.prefix(18) + suffix)
        check(digits.prefix(21) + suffix)
    }

    private func formatted(_ format: String, _ number: Double) -> [UInt8] {
        withVaList([number]) { arguments in
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1_024) { buffer in
                let count = Int(vsnprintf(buffer.baseAddress!, buffer.count, format, arguments))
                return buffer.prefix(count).map(UInt8.init(bitPattern:))
            }
        }
    }
}

/// Compares with strtof and keeps the first few texts that differ.
private struct Comparison {
    var mismatches: [String] = []

    mutating func callAsFunction(_ text: some Sequence<UInt8>) {
        let terminated = Array(text) + [0]
        let agrees = terminated.withUnsafeBufferPointer { bytes in
            let expected = bytes.withMemoryRebound(to: CChar.self) { strtof($0.baseAddress!, nil) }
            switch DecimalNumber.parse(bytes.baseAddress!, count: bytes.count - 1) {
            case .success(let value): guard value.bitPattern == expected.bitPattern else { return false }
            case .failure(.outOfRange): guard expected.isInfinite else { return false }
            case .failure(.notANumber): return false
            }
            // Within a longer buffer, here with a delimiter, other loads are used.
            var cursor = bytes.baseAddress!
            guard case .success(let value) = DecimalNumber.scan(&cursor, end: bytes.baseAddress! + bytes.count) else {
                return expected.isInfinite
            }
            return value.bitPattern == expected.bitPattern && cursor == bytes.baseAddress! + bytes.count - 1
        }
        if !agrees, mismatches.count < 10 { mismatches.append(String(decoding: terminated.dropLast(), as: UTF8.self)) }
    }
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
private struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
