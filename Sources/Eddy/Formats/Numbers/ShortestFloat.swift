// The shortest decimal that reads back as the same Float, straight into a buffer of bytes.
//
// The text is that of Swift's `description`, at a fraction of its time: of the decimals with the fewest digits that
// round to the Float, the nearest. They are found with Schubfach (Giulietti, "The Schubfach way to render doubles",
// 2020): the Float and the two midpoints beside it are scaled by one power of ten, so that at most two candidates of
// each of two lengths come into question, and which of them lie between the midpoints is a matter of comparing
// integers. Three products of 64 by 32 bits do it. The digits are then written eight at a time, within one word.
//
// Deliberately not here: a number of places, or another notation than `description` chooses.

/// Writes numbers as text.
///
///     var bytes = [UInt8](repeating: 0, count: ShortestFloat.room)
///     let count = bytes.withUnsafeMutableBufferPointer { ShortestFloat.write(0.8731, to: $0.baseAddress!) }
///     String(decoding: bytes[..<count], as: UTF8.self)  // 0.8731
package enum ShortestFloat {
    /// The bytes that `write` may touch; the text has at most 15 of them.
    package static let room = 24

    /// Writes the shortest text that reads back as `value` and returns its length, in bytes.
    ///
    /// - Parameter out: ``room`` bytes, of which those behind the text are left undefined.
    package static func write(_ value: Float, to out: UnsafeMutablePointer<UInt8>) -> Int {
        let bits = value.bitPattern
        out[0] = UInt8(ascii: "-")
        let start = out + Int(bits >> 31)
        let magnitude = bits & 0x7FFF_FFFF
        guard magnitude &- 1 < 0x7F7F_FFFF else { return writeSpecial(value, to: out) }
        let (digits, exponent) = shortest(magnitude)
        return start - out + layOut(digits, exponent, isLarge: magnitude > largestPlain, to: start)
    }

    /// 2^24: above it not every whole number is a Float, and `description` changes to the exponent.
    private static let largestPlain: UInt32 = 0x4B80_0000

    /// Zero, and what is no number.
    @inline(never)
    private static func writeSpecial(_ value: Float, to out: UnsafeMutablePointer<UInt8>) -> Int {
        let text: StaticString =
            value == 0
            ? (value.sign == .minus ? "-0.0" : "0.0") : value.isNaN ? "nan" : value < 0 ? "-inf" : "inf"
        out.update(from: text.utf8Start, count: text.utf8CodeUnitCount)
        return text.utf8CodeUnitCount
    }

    // MARK: - Digits

    /// The decimal digits · 10^exponent for a positive finite Float; digits < 10^9, possibly with zeros at the end.
    @inline(__always)
    private static func shortest(_ bits: UInt32) -> (digits: UInt32, exponent: Int) {
        // The value is c · 2^q.
        let fraction = bits & 0x7F_FFFF
        let biased = Int(bits >> 23)
        let c = UInt64(biased == 0 ? fraction : fraction | 0x80_0000)
        let q = max(biased, 1) &- 150
        // Below a power of two Floats lie twice as dense, and the midpoint twice as near.
        let isNearerBelow = fraction == 0 && biased > 1

        // k = ⌊log10 2^q⌋, or ⌊log10 ¾·2^q⌋ above a power of two: then 10^k is at most the distance of the midpoints,
        // and 10^(k+1) more than that.
        let k = (q &* 1_262_611 &- (isNearerBelow ? 524_031 : 0)) >> 22
        let power = powersOfTen[31 &- k]
        let shift = UInt64(truncatingIfNeeded: q &+ (-k &* 1_741_647) >> 19 &+ 1)
        // Value and midpoints in units of 10^k / 4; the last bit says whether anything was cut off.
        let value = scaled(4 &* c &<< shift, power)
        let isOdd = UInt32(truncatingIfNeeded: c & 1)  // midpoints read back as the even neighbour
        let lower = scaled((4 &* c &- (isNearerBelow ? 1 : 2)) &<< shift, power) &+ isOdd
        let upper = scaled((4 &* c &+ 2) &<< shift, power) &- isOdd

        let floor = value >> 2
        let tens = floor / 10
        if tens > 0 {  // one digit fewer?
            let isFloorInside = lower <= 40 &* tens
            let isCeilingInside = 40 &* tens &+ 40 <= upper
            if isFloorInside != isCeilingInside { return (tens &+ (isCeilingInside ? 1 : 0), k &+ 1) }
        }
        let isFloorInside = lower <= 4 &* floor
        let isCeilingInside = 4 &* floor &+ 4 <= upper
        // The one that is inside, else the nearer, else the even one.
        let middle = 4 &* floor &+ 2
        let isUp =
            isFloorInside != isCeilingInside
            ? isCeilingInside : value > middle || (value == middle && floor & 1 == 1)
        return (floor &+ (isUp ? 1 : 0), k)
    }

    /// ⌊x · power / 2^64⌋, its last bit set where the product is not whole.
    ///
    /// The power is too large by less than one unit, and the product by less than x: what is at most one in the 32 bits
    /// below the point is nothing (Giulietti, section 9.9).
    @inline(__always)
    private static func scaled(_ x: UInt64, _ power: UInt64) -> UInt32 {
        let product = x.multipliedFullWidth(by: power)
        let rest = product.low >> 32
        return UInt32(truncatingIfNeeded: product.high) | (rest > 1 ? 1 : 0)
    }

    // MARK: - Text

    @inline(__always)
    private static func layOut(
        _ digits: UInt32, _ exponent: Int, isLarge: Bool, to out: UnsafeMutablePointer<UInt8>
    ) -> Int {
        // As d.dddddddd: a first digit, and eight with zeros at the end.
        let length = decimalLength(digits)
        let nine = UInt64(digits) &* tens[9 &- length]
        let first = nine / 100_000_000
        let word = eightDigits(UInt32(truncatingIfNeeded: nine &- first &* 100_000_000))
        let more = 8 &- word.leadingZeroBitCount >> 3  // digits after the first that are not zeros at the end
        let text = word | 0x3030_3030_3030_3030
        let lead = UInt8(truncatingIfNeeded: first) | UInt8(ascii: "0")
        let point = exponent &+ length  // digits before the point, where positive

        if isLarge || point < -3 {
            out[0] = lead
            out[1] = UInt8(ascii: ".")
            store(text, out + 2)
            let end = more == 0 ? 1 : more &+ 2
            let power = point &- 1
            out[end] = UInt8(ascii: "e")
            out[end &+ 1] = UInt8(ascii: power < 0 ? "-" : "+")
            let size = UInt8(truncatingIfNeeded: power.magnitude)
            out[end &+ 2] = size / 10 | UInt8(ascii: "0")
            out[end &+ 3] = size % 10 | UInt8(ascii: "0")
            return end &+ 4
        }
        if point > 0 {  // at most 8
            out[0] = lead
            store(text, out + 1)
            out[point] = UInt8(ascii: ".")
            store(text &>> UInt64(truncatingIfNeeded: 8 &* (point &- 1)), out + point + 1)
            return point &+ 1 &+ max(1, more &- (point &- 1))
        }
        store(0x3030_3030_3030_2E30, out)  // 0.000000
        out[2 &- point] = lead
        store(text, out + (3 &- point))
        return 4 &- point &+ more &- 1
    }

    /// How many digits a number from 1 to 10^9 - 1 has.
    @inline(__always)
    private static func decimalLength(_ digits: UInt32) -> Int {
        // 1233 / 4096 is a little more than log10 2.
        let guess = ((32 &- digits.leadingZeroBitCount) &* 1233) >> 12
        return guess &+ (UInt64(digits) >= tens[guess] ? 1 : 0)
    }

    /// The eight digits of a number below 10^8, the most significant in the lowest byte.
    @inline(__always)
    private static func eightDigits(_ number: UInt32) -> UInt64 {
        // Halves of four digits, then quarters of two, then digits; each division is a multiplication in its lane.
        let upper = UInt64(number / 10_000)
        let halves = upper | (UInt64(number) &- upper &* 10_000) << 32
        let hundreds = ((halves &* 10_486) >> 20) & 0x0000_007F_0000_007F
        let quarters = hundreds | (halves &- hundreds &* 100) << 16
        let tens = ((quarters &* 103) >> 10) & 0x000F_000F_000F_000F
        return tens | (quarters &- tens &* 10) << 8
    }

    @inline(__always)
    private static func store(_ word: UInt64, _ out: UnsafeMutablePointer<UInt8>) {
        UnsafeMutableRawPointer(out).storeBytes(of: word.littleEndian, as: UInt64.self)
    }

    // MARK: - Tables

    private static let tens: [UInt64] = [
        1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000,
    ]

    /// ⌊10^n / 2^r⌋ + 1 with r such that 2^63 ≤ 10^n / 2^r < 2^64, for n from -31 to 45.
    private static let powersOfTen: [UInt64] = [
        0x81CE_B32C_4B43_FCF5, 0xA242_5FF7_5E14_FC32, 0xCAD2_F7F5_359A_3B3F, 0xFD87_B5F2_8300_CA0E,
        0x9E74_D1B7_91E0_7E49, 0xC612_0625_7658_9DDB, 0xF796_87AE_D3EE_C552, 0x9ABE_14CD_4475_3B53,
        0xC16D_9A00_9592_8A28, 0xF1C9_0080_BAF7_2CB2, 0x971D_A050_74DA_7BEF, 0xBCE5_0864_9211_1AEB,
        0xEC1E_4A7D_B695_61A6, 0x9392_EE8E_921D_5D08, 0xB877_AA32_36A4_B44A, 0xE695_94BE_C44D_E15C,
        0x901D_7CF7_3AB0_ACDA, 0xB424_DC35_095C_D810, 0xE12E_1342_4BB4_0E14, 0x8CBC_CC09_6F50_88CC,
        0xAFEB_FF0B_CB24_AAFF, 0xDBE6_FECE_BDED_D5BF, 0x8970_5F41_36B4_A598, 0xABCC_7711_8461_CEFD,
        0xD6BF_94D5_E57A_42BD, 0x8637_BD05_AF6C_69B6, 0xA7C5_AC47_1B47_8424, 0xD1B7_1758_E219_652C,
        0x8312_6E97_8D4F_DF3C, 0xA3D7_0A3D_70A3_D70B, 0xCCCC_CCCC_CCCC_CCCD, 0x8000_0000_0000_0001,
        0xA000_0000_0000_0001, 0xC800_0000_0000_0001, 0xFA00_0000_0000_0001, 0x9C40_0000_0000_0001,
        0xC350_0000_0000_0001, 0xF424_0000_0000_0001, 0x9896_8000_0000_0001, 0xBEBC_2000_0000_0001,
        0xEE6B_2800_0000_0001, 0x9502_F900_0000_0001, 0xBA43_B740_0000_0001, 0xE8D4_A510_0000_0001,
        0x9184_E72A_0000_0001, 0xB5E6_20F4_8000_0001, 0xE35F_A931_A000_0001, 0x8E1B_C9BF_0400_0001,
        0xB1A2_BC2E_C500_0001, 0xDE0B_6B3A_7640_0001, 0x8AC7_2304_89E8_0001, 0xAD78_EBC5_AC62_0001,
        0xD8D7_26B7_177A_8001, 0x8786_7832_6EAC_9001, 0xA968_163F_0A57_B401, 0xD3C2_1BCE_CCED_A101,
        0x8459_5161_4014_84A1, 0xA56F_A5B9_9019_A5C9, 0xCECB_8F27_F420_0F3B, 0x813F_3978_F894_0985,
        0xA18F_07D7_36B9_0BE6, 0xC9F2_C9CD_0467_4EDF, 0xFC6F_7C40_4581_2297, 0x9DC5_ADA8_2B70_B59E,
        0xC537_1912_364C_E306, 0xF684_DF56_C3E0_1BC7, 0x9A13_0B96_3A6C_115D, 0xC097_CE7B_C907_15B4,
        0xF0BD_C21A_BB48_DB21, 0x9676_9950_B50D_88F5, 0xBC14_3FA4_E250_EB32, 0xEB19_4F8E_1AE5_25FE,
        0x92EF_D1B8_D0CF_37BF, 0xB7AB_C627_0503_05AE, 0xE596_B7B0_C643_C71A, 0x8F7E_32CE_7BEA_5C70,
        0xB35D_BF82_1AE4_F38C,
    ]
}
