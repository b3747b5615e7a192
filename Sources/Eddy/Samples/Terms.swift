// What a sample has beside its columns: words, categories, features that come by name and are mostly absent.
//
// A column costs something in every sample, whether it holds anything or not. Streams with ten thousand features of
// which fifty are there at a time, with text, or with features that nobody announced, have terms instead: a term is a
// hash of its name and a number, and one that is absent is 0. Whoever learns decides what room it has for how many.
//
// Deliberately not here: which input of a network a term is, and what becomes of two that meet there.

import Backprop

/// A named number, for those who make samples one at a time.
public struct Term: Sendable, Hashable {
    /// `column=token`, `namespace^feature`, `feature`, or whatever else tells it from others.
    public var name: String
    /// Finite.
    public var value: Float

    public init(_ name: String, _ value: Float = 1) {
        self.name = name
        self.value = value
    }
}

/// The terms of a chunk's samples, flat.
///
///     var chunk = SampleChunk(inputs: 1)
///     try chunk.append(Sample([0.5], terms: [Term("colour=red"), Term("height", 1.8)]))
///     chunk.terms.keys[chunk.terms.range(of: 0)]  // two keys
///
/// The order within a sample is the sender's. A key may come twice in a sample: its values then add up. No value is 0.
public struct Terms: Sendable, Equatable {
    /// FNV-1a, 64 bits wide, of each term's name in UTF-8 (see ``key(of:)``). Shape: (terms).
    public internal(set) var keys: [UInt64] = []
    /// All finite, none 0. Shape: (terms).
    public internal(set) var values: [Float] = []
    /// Where each sample's terms end. Shape: (count), or empty where no sample has any.
    public internal(set) var ends: [Int] = []
    /// The names of keys that their decoder met for the first time, and of terms that came by name. Bounded: a decoder
    /// tells 65,536 at most.
    public internal(set) var names: [UInt64: String] = [:]

    public init() {}

    /// Whether no sample has any.
    public var isEmpty: Bool { keys.isEmpty }

    /// The places in `keys` and `values` of sample `index`'s terms.
    public func range(of index: Int) -> Range<Int> {
        ends.isEmpty ? 0..<0 : (index == 0 ? 0 : ends[index - 1])..<ends[index]
    }

    /// The key of a name.
    public static func key(of name: String) -> UInt64 { FNV1a.hash(name.utf8) }

    /// Completes a sample, the `count`th of its chunk from 0, whose terms are already in place.
    @inline(__always)
    mutating func finish(_ count: Int) {
        if !keys.isEmpty { end(count) }
    }

    @inline(never)
    private mutating func end(_ count: Int) {
        if ends.count < count { ends += repeatElement(0, count: count - ends.count) }
        ends.append(keys.count)
    }

    /// Whether the sample that is not completed yet has any.
    @inline(__always)
    var hasPending: Bool { keys.count > ends.last ?? 0 }

    /// Takes out what was put in since the last sample was completed.
    mutating func takeBack() {
        let count = ends.last ?? 0
        keys.removeLast(keys.count - count)
        values.removeLast(values.count - count)
    }

    /// The terms of samples `range`.
    subscript(range: Range<Int>) -> Terms {
        guard !ends.isEmpty, !range.isEmpty else { return Terms() }
        let first = self.range(of: range.lowerBound).lowerBound
        let last = ends[range.upperBound - 1]
        var part = Terms()
        guard last > first else { return part }
        part.keys = Array(keys[first..<last])
        part.values = Array(values[first..<last])
        part.ends = ends[range].map { $0 - first }
        part.names = names
        return part
    }
}
