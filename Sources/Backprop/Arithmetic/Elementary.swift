// exp, log, sigmoid and tanh of our own, sixteen Floats at a time.
//
// Why not libm: its last bits differ between versions and machines, and weights that went
// through it could not be replayed bit for bit elsewhere. Everything here is additions,
// multiplications, divisions and bit patterns in a fixed order, so the bits are the same
// wherever IEEE 754 is. Multiply and add stay separate (a fused one would round differently,
// and on machines without it would be emulated a hundred times slower).
//
// exp and log follow the scheme of Cody and Waite (Software Manual for the Elementary
// Functions, 1980): reduce to a short interval, then a polynomial. Errors stay within
// 3 units in the last place (tested against Double). Polynomials are summed in pairs rather than from the highest power
// down (Estrin 1960): a training step waits for them, and pairs are ready sooner. The C kernels do the same operations
// in the same order.

import Foundation

package enum Elementary {
    // MARK: exp

    /// eˣ. Below −87.3 the result is 2⁻¹²⁶ or so rather than subnormal; above 88.3, 2.4e38. NaN stays NaN.
    @inline(__always)
    package static func exp(_ x: Lanes) -> Lanes {
        // e^x = 2ⁿ · e^r with n = round(x / ln 2), |r| ≤ ½ ln 2.
        let clamped = x.replacing(with: 88.3, where: x .> 88.3).replacing(with: -87.3, where: x .< -87.3)
        // Adding and subtracting 1.5·2²³ rounds to the nearest whole number; its low bits hold n.
        let shifted = clamped * 1.442_695_04 + 12_582_912
        let n = shifted - 12_582_912
        let r = (clamped - n * 0.693_359_375) - n * -2.121_944_4e-4
        return power(shifted, r).replacing(with: x, where: x .!= x)
    }

    /// 2ⁿ · eʳ, where shifted = n + 1.5·2²³ and |r| ≤ ½ ln 2.
    @inline(__always)
    private static func power(_ shifted: Lanes, _ r: Lanes) -> Lanes {
        let r2 = r * r
        let first = 5.000_000_1e-1 + r * 1.666_666_55e-1
        let second = 4.166_579_6e-2 + r * 8.333_451_9e-3
        let third = 1.398_199_95e-3 + r * 1.987_569_15e-4
        let p = (first + second * r2) + third * (r2 * r2)
        let mantissa = p * r2 + (1 + r)
        let exponent = (unsafeBitCast(shifted, to: SIMD16<UInt32>.self) &- 0x4B40_0000) &<< 23
        return unsafeBitCast(unsafeBitCast(mantissa, to: SIMD16<UInt32>.self) &+ exponent, to: Lanes.self)
    }

    @inline(__always)
    package static func exp(_ x: Float) -> Float { exp(Lanes(repeating: x))[0] }

    // MARK: log

    /// The natural logarithm of a positive normal number.
    ///
    /// Scalar: a training step needs one a sample, for the loss.
    @inline(__always)
    package static func log(_ x: Float) -> Float {
        // x = 2ⁿ · m with m in [√½, √2); log x = n ln 2 + log(1 + f), f = m − 1.
        let bits = x.bitPattern &- 0x3F35_04F3
        let n = Float(Int32(bitPattern: bits) >> 23)
        let f = Float(bitPattern: (bits & 0x007F_FFFF) &+ 0x3F35_04F3) - 1
        let z = f * f
        var p: Float = 7.037_683_6e-2
        p = p * f - 1.151_461e-1
        p = p * f + 1.167_699_87e-1
        p = p * f - 1.242_014_1e-1
        p = p * f + 1.424_932_3e-1
        p = p * f - 1.666_805_8e-1
        p = p * f + 2.000_071_5e-1
        p = p * f - 2.499_999_4e-1
        p = p * f + 3.333_333_1e-1
        var y = f * z * p
        y = y + n * -2.121_944_4e-4
        y = y - 0.5 * z
        return (f + y) + n * 0.693_359_375
    }

    /// log(1 + u) for u in [0, 1], exact to first order where u is tiny.
    @inline(__always)
    static func log1p(_ u: Float) -> Float {
        let w = 1 + u
        // Kahan's correction: what rounding took from 1 + u comes back in proportion.
        return w == 1 ? u : log(w) * u / (w - 1)
    }

    // MARK: sigmoid and tanh

    /// 1 / (1 + e⁻ˣ), by e^−|x|, which cannot overflow.
    @inline(__always)
    static func sigmoid(_ x: Lanes) -> Lanes {
        let e = exp(-magnitude(x))
        return Lanes(repeating: 1).replacing(with: e, where: x .< 0) / (1 + e)
    }

    @inline(__always)
    static func sigmoid(_ x: Float) -> Float { sigmoid(Lanes(repeating: x))[0] }

    /// tanh x: an odd polynomial where |x| is small, ±1 where it is above 9.1, else (e²ˣ − 1) / (e²ˣ + 1).
    @inline(__always)
    static func tanh(_ x: Lanes) -> Lanes {
        let a = magnitude(x)
        let z = x * x
        let z2 = z * z
        let first = -3.333_328_2e-1 + z * 1.333_144_2e-1
        let second = -5.373_971_6e-2 + z * 2.063_908_9e-2
        let p = first + (second + z2 * -5.704_988_7e-3) * z2  // x⁸ by itself would be subnormal, and slow, too soon
        let small = (p * z) * x + x
        let sign = unsafeBitCast(x, to: SIMD16<UInt32>.self) & 0x8000_0000
        let one = unsafeBitCast(sign | 0x3F80_0000, to: Lanes.self)
        // e^2|x| as in exp, without its bounds.
        let shifted = a * 2.885_390_08 + 12_582_912
        let n = shifted - 12_582_912
        let r = (a + a - n * 0.693_359_375) - n * -2.121_944_4e-4
        let e = power(shifted, r)
        let large = unsafeBitCast(unsafeBitCast(e - 1, to: SIMD16<UInt32>.self) | sign, to: Lanes.self) / (e + 1)
        let outside = small.replacing(with: one, where: a .>= 0.625)
        return outside.replacing(with: large, where: (a .>= 0.625) .& (a .<= 9.1))
    }

    @inline(__always)
    private static func magnitude(_ x: Lanes) -> Lanes {
        unsafeBitCast(unsafeBitCast(x, to: SIMD16<UInt32>.self) & 0x7FFF_FFFF, to: Lanes.self)
    }
}
