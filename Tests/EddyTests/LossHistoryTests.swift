// The history of losses, against a plain list of all samples.

import Foundation
import Testing

@testable import Eddy

@Suite struct LossHistoryTests {
    private struct Learned {
        var step: UInt64
        var time: Double
        var loss: Double
        var error: Double
        var baseline: Double
    }

    /// A history and the list of all that went into it, in chunks of random lengths.
    private func history(
        of count: Int, from firstStep: UInt64 = 1, longestChunk: Int, seed: UInt64
    ) -> (LossHistory, [Learned]) {
        var random = TestRandom(seed: seed)
        var history = LossHistory()
        var list: [Learned] = []
        var time = 1_732_160_000.0
        while list.count < count {
            let length = min(Int.random(in: 1...longestChunk, using: &random), count - list.count)
            let step = firstStep + UInt64(list.count)
            // Eighths: their sums are exact, whatever their order.
            let losses = (0..<length).map { _ in Float(Int.random(in: 0...400, using: &random)) / 8 }
            let errors = (0..<length).map { _ in Float(Int.random(in: 0...1, using: &random)) }
            let baseline = Double(list.count)
            history.append(losses: losses, errors: errors, firstStep: step, time: time, baseline: baseline)
            for i in 0..<length {
                list.append(
                    Learned(
                        step: step + UInt64(i), time: time, loss: Double(losses[i]), error: Double(errors[i]),
                        baseline: baseline))
            }
            time += Double(Int.random(in: 0...3, using: &random)) / 4
        }
        return (history, list)
    }

    /// Each row must be exactly what the list says of the samples that it covers, and rows must follow one another.
    private func check(_ rows: [LossHistory.Row], against list: [Learned]) {
        guard let first = rows.first else { return }
        let begin = list[0].step
        var next = Int(first.step - begin) + 1 - Int(first.count)
        for row in rows {
            let end = next + Int(row.count)
            guard row.count > 0, next >= 0, end <= list.count else {
                Issue.record("a row of samples \(next)..<\(end) of \(list.count)")
                return
            }
            let part = list[next..<end]
            #expect(row.step == part.last!.step && row.time == part.last!.time)
            #expect(row.baseline == part.last!.baseline)
            #expect(row.min == part.map(\.loss).min()! && row.max == part.map(\.loss).max()!)
            #expect(row.mean == part.reduce(0) { $0 + $1.loss } / Double(part.count))
            #expect(row.error == part.reduce(0) { $0 + $1.error } / Double(part.count))
            next = end
        }
    }

    @Test(arguments: [1, 2, 3, 1023, 1024, 1025, 2047, 2049, 3071, 3073, 10_000, 33_333])
    func wholeHistory_isTiledExactly(count: Int) {
        for (seed, longestChunk) in [(1, 1), (2, 7), (3, 600), (4, 5000)] {
            let (history, list) = history(of: count, from: 11, longestChunk: longestChunk, seed: UInt64(seed))
            for points in [1, 2, 7, 100, 1000, 100_000] {
                for axis in LossHistory.Axis.allCases {
                    let rows = history.rows(by: axis, points: points)
                    #expect(rows.count <= points)
                    #expect(rows.reduce(0) { $0 + $1.count } == UInt64(count), "every sample in exactly one row")
                    #expect(rows.last?.step == UInt64(10 + count))
                    check(rows, against: list)
                }
            }
            #expect(history.begin?.step == 11 && history.begin?.time == list[0].time)
            #expect(history.end?.step == UInt64(10 + count) && history.end?.time == list.last?.time)
        }
    }

    @Test func anyRange_holdsAllItsSamplesAndNoRowTwice() {
        var random = TestRandom(seed: 5)
        let (history, list) = history(of: 9_000, from: 1, longestChunk: 50, seed: 6)
        for _ in 0..<300 {
            let points = Int.random(in: 1...2000, using: &random)
            let steps = (0..<2).map { _ in Double.random(in: -500...9_500, using: &random) }.sorted()
            check(history.rows(by: .steps, from: steps[0], to: steps[1], points: points), steps, points)
            let times = (0..<2).map { _ in
                1_732_160_000 + Double(Int.random(in: -10...400, using: &random)) / 4
            }.sorted()
            check(history.rows(by: .time, from: times[0], to: times[1], points: points), times, points, byTime: true)
        }

        func check(_ rows: [LossHistory.Row], _ range: [Double], _ points: Int, byTime: Bool = false) {
            self.check(rows, against: list)
            #expect(rows.count <= points)
            let inRange = list.filter { range[0]...range[1] ~= (byTime ? $0.time : Double($0.step)) }
            guard let first = inRange.first, let last = inRange.last else { return }
            guard let firstRow = rows.first, let lastRow = rows.last else {
                Issue.record("no rows for \(inRange.count) samples")
                return
            }
            #expect(firstRow.step - firstRow.count + 1 <= first.step && lastRow.step >= last.step)
        }
    }

    @Test func theNewestThousand_areToldOneByOne() {
        let (history, list) = history(of: 50_000, longestChunk: 256, seed: 7)
        let rows = history.rows(by: .steps, from: 49_000, points: 2000)
        #expect(rows.count == 1001 && rows.allSatisfy { $0.count == 1 })
        #expect(rows.map(\.mean) == list.suffix(1001).map(\.loss))
    }

    @Test func columns_areOfEqualWidth() {
        let (history, _) = history(of: 1000, longestChunk: 10, seed: 8)
        let rows = history.rows(by: .steps, points: 64)
        #expect(rows.dropLast().allSatisfy { $0.count == 16 } && rows.count == 63)
    }

    @Test func chunking_changesNothing() {
        var one = LossHistory()
        var other = LossHistory()
        let losses = (0..<5000).map { Float($0 % 17) }
        let errors = losses.map { $0 > 8 ? Float(1) : 0 }
        one.append(losses: losses, errors: errors, firstStep: 1, time: 5, baseline: 1)
        for i in losses.indices {
            other.append(losses: [losses[i]], errors: [errors[i]], firstStep: UInt64(i) + 1, time: 5, baseline: 1)
        }
        #expect(one.rows(by: .steps, points: 3000) == other.rows(by: .steps, points: 3000))
    }

    @Test func stepsThatDoNotFollow_andReset_beginAnew() {
        var history = LossHistory()
        #expect(history.rows(by: .time).isEmpty && history.begin == nil && history.end == nil)
        history.append(losses: [1, 2], errors: [1, 1], firstStep: 1, time: 1, baseline: 0)
        history.append(losses: [7], errors: [0], firstStep: 90, time: 2, baseline: 3)
        let only = LossHistory.Row(step: 90, time: 2, count: 1, mean: 7, min: 7, max: 7, error: 0, baseline: 3)
        #expect(history.rows(by: .steps) == [only])
        history.reset()
        #expect(history.rows(by: .steps).isEmpty)
    }

    @Test func clockThatIsSetBack_standsStill() {
        var history = LossHistory()
        for (step, time) in [(1, 10.0), (2, 4), (3, .nan), (4, 11)] {
            history.append(losses: [1], errors: [0], firstStep: UInt64(step), time: time, baseline: 0)
        }
        #expect(history.rows(by: .steps, points: 10).map(\.time) == [10, 10, 10, 11])
    }

    @Test func rangesThatMakeNoSense_areEmpty() {
        let (history, _) = history(of: 100, longestChunk: 10, seed: 9)
        #expect(history.rows(by: .steps, from: 50, to: 40).isEmpty)
        #expect(history.rows(by: .steps, from: 101).isEmpty)
        #expect(history.rows(by: .time, to: 0).isEmpty)
        #expect(history.rows(by: .steps, from: .nan, to: .nan).count <= 1000)
        #expect(history.rows(by: .steps, from: -.infinity, to: .infinity, points: -1).count == 1)
    }

    /// A day of a stream, its chunks a second each at first: what is held, and that it still covers everything.
    @Test(arguments: [(1_000, 18), (1_000_000, 28)])
    func aDay_staysWithinItsLevels(rate: Int, levels: Int) {
        // The levels of a history of n samples are those that a history of n / 2ᵏ has and k more, so a day at a million
        // is reckoned from a part of it.
        let samples = 86_400 * min(rate, 1_000)
        var history = LossHistory()
        let losses = [Float](repeating: 0.5, count: 4_096)
        let errors = [Float](repeating: 0, count: 4_096)
        var step: UInt64 = 1
        while step <= UInt64(samples) {
            history.append(losses: losses, errors: errors, firstStep: step, time: Double(step), baseline: 1)
            step += 4_096
        }
        let doublings = Int((log2(Double(rate) / Double(min(rate, 1_000)))).rounded(.up))
        #expect(history.levels.count + doublings == levels)
        #expect(history.levels.allSatisfy { $0.count == LossHistory.length })
        #expect(MemoryLayout<LossHistory.Bin>.stride * LossHistory.length == 48 << 10, "bytes a level")
        let rows = history.rows(by: .time, points: 1_000)
        #expect(rows.reduce(0) { $0 + $1.count } == step - 1)
        #expect(rows.count > 450 && rows.count <= 1_000)
    }
}
