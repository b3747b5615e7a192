// What came of the newest samples: rings from which windowed figures are computed when somebody asks.
//
// A sample costs two copies and two additions; F1, kappa, ROC AUC, R² and quantiles of the window are worked out of the
// rows. In files the rows are base64 of little-endian float32, a third of the size of their decimals.

import Foundation

/// A sample's target, prediction and loss.
struct Outcome: Sendable, Hashable {
    /// The class's index, or the value.
    var target: Float
    /// NaN where nothing was predicted.
    var prediction: Float
    /// Nats, or squared units.
    var loss: Float

    /// 1 for the right class, 0 for another.
    @inline(__always)
    var hit: Double { target == prediction ? 1 : 0 }

    /// |prediction − target|, in Double, where the difference of two Floats cannot overflow.
    @inline(__always)
    var absoluteError: Double { abs(Double(prediction) - Double(target)) }

    // By their bits, as a prediction may be NaN.
    private var bits: [UInt32] { [target.bitPattern, prediction.bitPattern, loss.bitPattern] }

    static func == (a: Outcome, b: Outcome) -> Bool { a.bits == b.bits }

    func hash(into hasher: inout Hasher) { hasher.combine(bits) }
}

/// The newest outcomes, and the sums of their losses and of what is scored of them.
struct RecentOutcomes: Sendable, Hashable {
    let length: Int
    private var rows: [Outcome] = []
    private var next = 0
    private var lossSum = 0.0
    private var scoreSum = 0.0
    /// Rows whose score is NaN: values that were not predicted. They are not in the sum.
    private var unscored = 0

    init(length: Int) { self.length = length }

    var count: Int { rows.count }
    /// Rows that have a score.
    var scored: Int { rows.count - unscored }
    var meanLoss: Double { rows.isEmpty ? 0 : lossSum / Double(rows.count) }
    /// The mean of what `append` scored.
    var meanScore: Double { scored > 0 ? scoreSum / Double(scored) : 0 }

    /// Takes in outcomes. Shape: (count).
    ///
    /// - Parameter score: of an outcome: ``Outcome/hit``, or ``Outcome/absoluteError``; always the same. NaN does not count.
    @inline(__always)
    mutating func append(_ count: Int, _ outcome: (Int) -> Outcome, score: (Outcome) -> Double) {
        var i = 0
        while i < count, rows.count < length {
            let row = outcome(i)
            rows.append(row)
            lossSum += Double(row.loss)
            let score = score(row)
            if score.isNaN { unscored += 1 } else { scoreSum += score }
            i += 1
        }
        guard i < count else { return }
        var (next, lossSum, scoreSum, unscored) = (next, lossSum, scoreSum, unscored)
        rows.withUnsafeMutableBufferPointer { rows in
            while i < count {
                let (row, old) = (outcome(i), rows[next])
                rows[next] = row
                lossSum += Double(row.loss) - Double(old.loss)
                let (new, gone) = (score(row), score(old))
                if (new - gone).isNaN {
                    unscored += (new.isNaN ? 1 : 0) - (gone.isNaN ? 1 : 0)
                    scoreSum += (new.isNaN ? 0 : new) - (gone.isNaN ? 0 : gone)
                } else {
                    scoreSum += new - gone
                }
                i += 1
                next += 1
                if next == rows.count {  // once around, sums are taken anew, so that no rounding error grows
                    next = 0
                    lossSum = rows.reduce(0) { $0 + Double($1.loss) }
                    scoreSum = rows.reduce(0) {
                        let score = score($1)
                        return score.isNaN ? $0 : $0 + score
                    }
                }
            }
        }
        (self.next, self.lossSum, self.scoreSum, self.unscored) = (next, lossSum, scoreSum, unscored)
    }

    /// Oldest first.
    var inOrder: [Outcome] { Array(rows[next...] + rows[..<next]) }

    /// Whether a ring read from a file can be one.
    var isSound: Bool {
        (1...1_000_000).contains(length) && rows.count <= length && next >= 0 && (0...rows.count).contains(unscored)
            && rows.allSatisfy { $0.target.isFinite && !$0.prediction.isInfinite && $0.loss.isFinite }
            && (next == 0 || (next < length && rows.count == length))
    }
}

/// The newest samples' class probabilities: as many samples as a bounded memory holds.
struct RecentProbabilities: Sendable, Hashable {
    /// The most numbers held: 1 MiB, that is 1,000 samples of up to 262 outputs, and fewer of more.
    static let limit = 1 << 18

    private let length: Int
    /// Numbers a sample. Shape of `values`: (count, outputs), a ring of rows.
    private(set) var outputs = 1
    private var values: [Float] = []
    private var next = 0

    init(length: Int) { self.length = length }

    private var rowLimit: Int { max(1, min(length, RecentProbabilities.limit / outputs)) }
    var count: Int { values.count / outputs }

    /// Takes in probabilities. Shape: (count, outputs).
    mutating func append(_ count: Int, _ probabilities: UnsafePointer<Float>, outputs: Int) {
        if outputs != self.outputs { widen(to: outputs) }
        let limit = rowLimit
        var done = 0
        if self.count < limit {
            done = min(count, limit - self.count)
            values.append(contentsOf: UnsafeBufferPointer(start: probabilities, count: done * outputs))
        }
        values.withUnsafeMutableBufferPointer { values in
            while done < count {
                let rows = min(count - done, limit - next)
                (values.baseAddress! + next * outputs).update(
                    from: probabilities + done * outputs, count: rows * outputs)
                done += rows
                next = next + rows == limit ? 0 : next + rows
            }
        }
    }

    /// Lays the rows out anew for another number of outputs: a class that was not known had probability 0.
    private mutating func widen(to outputs: Int) {
        let old = (0..<count).map { self.outputs == 1 ? [1 - row($0).first!, row($0).first!] : Array(row($0)) }
        self.outputs = outputs
        next = 0
        values = old.suffix(rowLimit).flatMap { row in
            row.prefix(outputs) + Array(repeating: 0, count: max(0, outputs - row.count))
        }
    }

    /// The probabilities of a sample, the oldest being 0.
    func row(_ index: Int) -> ArraySlice<Float> {
        let place = (next + index) % count * outputs
        return values[place..<place + outputs]
    }

    /// Whether a ring read from a file can be one.
    var isSound: Bool {
        (1...1_000_000).contains(length) && (1...RecentProbabilities.limit).contains(outputs)
            && values.allSatisfy(\.isFinite) && values.count % outputs == 0 && count <= rowLimit && next >= 0
            && (next == 0 || (next < rowLimit && count == rowLimit))
    }
}

// MARK: - In files

/// Floats as base64 of their little-endian bytes.
private struct PackedFloats: Codable {
    var values: [Float]

    init(_ values: [Float]) { self.values = values }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let data = try container.decode(Data.self)
        guard data.count % 4 == 0 else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(data.count) bytes of float32")
        }
        values = data.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: 4).map {
                Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self)))
            }
        }
    }

    func encode(to encoder: any Encoder) throws {
        var data = Data(capacity: 4 * values.count)
        for value in values {
            withUnsafeBytes(of: value.bitPattern.littleEndian) { data.append(contentsOf: $0) }
        }
        var container = encoder.singleValueContainer()
        try container.encode(data)
    }
}

extension RecentOutcomes: Codable {
    private enum CodingKeys: CodingKey { case length, rows, next, lossSum, scoreSum, unscored }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        length = try container.decode(Int.self, forKey: .length)
        let floats = try container.decode(PackedFloats.self, forKey: .rows).values
        rows = stride(from: 0, to: floats.count - floats.count % 3, by: 3).map {
            Outcome(target: floats[$0], prediction: floats[$0 + 1], loss: floats[$0 + 2])
        }
        next = try container.decode(Int.self, forKey: .next)
        lossSum = try container.decode(Double.self, forKey: .lossSum)
        scoreSum = try container.decode(Double.self, forKey: .scoreSum)
        unscored = try container.decodeIfPresent(Int.self, forKey: .unscored) ?? 0
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(length, forKey: .length)
        try container.encode(PackedFloats(rows.flatMap { [$0.target, $0.prediction, $0.loss] }), forKey: .rows)
        try container.encode(next, forKey: .next)
        try container.encode(lossSum, forKey: .lossSum)
        try container.encode(scoreSum, forKey: .scoreSum)
        if unscored > 0 { try container.encode(unscored, forKey: .unscored) }
    }
}

extension RecentProbabilities: Codable {
    private enum CodingKeys: CodingKey { case length, outputs, values, next }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        length = try container.decode(Int.self, forKey: .length)
        outputs = try container.decode(Int.self, forKey: .outputs)
        values = try container.decode(PackedFloats.self, forKey: .values).values
        next = try container.decode(Int.self, forKey: .next)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(length, forKey: .length)
        try container.encode(outputs, forKey: .outputs)
        try container.encode(PackedFloats(values), forKey: .values)
        try container.encode(next, forKey: .next)
    }
}
