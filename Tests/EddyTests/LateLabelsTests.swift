// Late labels: joined by id, bounded, counted; and the same as a naive model in whatever order things happen.

import Foundation
import Testing

@testable import Eddy

/// The same by linear search, as plainly as can be said.
private struct NaiveLateLabels {
    let limits: LateLabelLimits
    var counts = LateLabelCounts()
    var now = StreamTime()
    var waiting: [(id: String, features: Int, bytes: Int, time: StreamTime)] = []
    var bytes: Int { waiting.reduce(0) { $0 + $1.bytes } }

    mutating func pass(to time: StreamTime) {
        now = StreamTime(seconds: max(now.seconds, time.seconds), samples: max(now.samples, time.samples))
        let before = waiting.count
        waiting.removeAll { entry in
            now.seconds - entry.time.seconds > limits.seconds
                || limits.age.map { now.samples - entry.time.samples > $0 } ?? false
        }
        counts.expired += UInt64(before - waiting.count)
    }

    mutating func hold(_ features: Int, id: String, bytes: Int, at time: StreamTime) -> Bool {
        pass(to: time)
        counts.held += 1
        if withdraw(id) { counts.replaced += 1 }
        let size = bytes + id.utf8.count + 128
        waiting.append((id, features, size, now))
        if size > limits.bytes || limits.samples == 0 {
            waiting.removeLast()
            counts.evicted += 1
            return false
        }
        while waiting.count > limits.samples || self.bytes > limits.bytes {
            waiting.removeFirst()
            counts.evicted += 1
        }
        return true
    }

    mutating func join(_ id: String) -> Int? {
        let entry = waiting.first { $0.id == id }
        _ = withdraw(id)
        if entry == nil { counts.unmatched += 1 } else { counts.joined += 1 }
        return entry?.features
    }

    mutating func withdraw(_ id: String) -> Bool {
        guard let index = waiting.firstIndex(where: { $0.id == id }) else { return false }
        waiting.remove(at: index)
        return true
    }
}

@Suite struct LateLabelsTests {
    private func at(_ seconds: Double, _ samples: UInt64 = 0) -> StreamTime {
        StreamTime(seconds: seconds, samples: samples)
    }

    @Test func anyOrderOfEvents_givesWhatANaiveModelGives() throws {
        for seed in 0..<60 as Range<UInt64> {
            var random = TestRandom(seed: seed)
            let limits = LateLabelLimits(
                samples: Int.random(in: 0...20, using: &random), bytes: Int.random(in: 100...4000, using: &random),
                seconds: Double.random(in: 0...40, using: &random),
                age: random.oneIn(2) ? UInt64.random(in: 0...60, using: &random) : nil)
            var late = LateLabels<Int>(limits: limits)
            var naive = NaiveLateLabels(limits: limits)
            var time = at(100)
            for step in 0..<600 {
                time.seconds += Double.random(in: -0.5...2, using: &random)  // clocks go back, too
                time.samples += UInt64.random(in: 0...2, using: &random)
                let id = "id\(Int.random(in: 0..<30, using: &random))"
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<5:
                    let bytes = random.oneIn(20) ? 5000 : Int.random(in: 0...300, using: &random)
                    let waits = late.hold(step, id: id, bytes: bytes, at: time)
                    let expected = naive.hold(step, id: id, bytes: bytes, at: time)
                    #expect(waits == expected)
                case 5..<8:
                    naive.pass(to: time)
                    let joined = try? late.join(id, at: time).features
                    let expected = naive.join(id)
                    #expect(joined == expected)
                case 8:
                    naive.pass(to: time)
                    let expected = naive.withdraw(id)
                    if expected { naive.counts.replaced += 1 }
                    let waited = late.withdraw(id, at: time)
                    #expect(waited == expected)
                default:
                    naive.pass(to: time)
                    late.expire(at: time)
                }
                #expect(late.counts == naive.counts)
                #expect(late.count == naive.waiting.count && late.bytes == naive.bytes)
                let counts = late.counts
                #expect(
                    counts.held
                        == counts.joined + counts.expired + counts.evicted + counts.replaced + UInt64(late.count))
                if random.oneIn(50) {
                    late = try JSONDecoder().decode(LateLabels<Int>.self, from: JSONEncoder().encode(late))
                }
            }
        }
    }

    @Test func joinedSample_comesWithWhatWasSaidOfIt_once() throws {
        var late = LateLabels<Sample>()
        late.hold(Sample([1, 2]), id: "a7", bytes: 8, prediction: .class("x", probability: 0.75), at: at(10, 5))
        let joined = try late.join("a7", at: at(70, 25))
        #expect(joined.features.features == [1, 2] && joined.prediction == .class("x", probability: 0.75))
        #expect(joined.waited == at(60, 20))
        #expect(late.count == 0 && late.bytes == 0)
        #expect {
            try late.join("a7", line: 9, at: at(71))
        } throws: { error in
            (error as? SampleError)?.description == "line=9 field=id expected=\"the id of a sample that waits for its "
                + "label (for at most 3600 s)\" got=\"a7\""
        }
        #expect(late.counts.joined == 1 && late.counts.unmatched == 1)
    }

    @Test func sampleOfTheGreatestAge_stillWaits() throws {
        var late = LateLabels<Int>(limits: LateLabelLimits(seconds: 10, age: 3))
        late.hold(1, id: "a", bytes: 4, at: at(100, 0))
        late.expire(at: at(110, 3))
        #expect(late.count == 1)
        late.expire(at: at(110.5, 3))
        #expect(late.count == 0 && late.counts.expired == 1)
        late.hold(2, id: "b", bytes: 4, at: at(111, 4))
        late.expire(at: at(111, 8))
        #expect(late.counts.expired == 2)
    }

    @Test func newestOfAnId_winsAndBeginsItsAgeAnew() throws {
        var late = LateLabels<Int>(limits: LateLabelLimits(samples: 2, seconds: 10))
        late.hold(1, id: "a", bytes: 4, at: at(0))
        late.hold(2, id: "b", bytes: 4, at: at(1))
        late.hold(3, id: "a", bytes: 4, at: at(8))
        late.hold(4, id: "c", bytes: 4, at: at(9))  // b is the oldest now
        #expect(late.counts.replaced == 1 && late.counts.evicted == 1)
        let joined = try late.join("a", at: at(18))
        #expect(joined.features == 3)
        #expect(throws: SampleError.self) { try late.join("b", at: at(18)) }
    }

    @Test func sampleTooLargeForTheTable_drivesNobodyElseOut() {
        var late = LateLabels<Int>(limits: LateLabelLimits(bytes: 1000))
        let small = late.hold(1, id: "a", bytes: 100, at: at(0))
        let large = late.hold(2, id: "b", bytes: 1000, at: at(1))
        let vast = late.hold(3, id: "c", bytes: .max, at: at(1))
        #expect(small && !large && !vast)
        #expect(late.count == 1 && late.counts.evicted == 2)
    }

    /// Whatever was said meanwhile: what is learned is what would have been, had each sample come with its label.
    @Test func delayedLabels_teachWhatTheSameSamplesInThatOrderTeach() throws {
        let chunk = try samples("iris")
        var configuration = Configuration()
        configuration.seed = 3
        let late = try Learner(configuration)
        let prompt = try Learner(configuration)
        var table = LateLabels<SampleChunk>()
        let delay = 17
        var firstErrors = 0
        var compared = 0
        for i in 0..<chunk.count + delay {
            if i < chunk.count {
                let row = chunk[i..<i + 1].withoutLabels()
                let said = late.learn(row).prediction(at: 0)
                table.hold(row, id: "\(i)", bytes: 16, prediction: said, at: at(Double(i), UInt64(i)))
                if case .class(let name, _) = said {
                    compared += 1
                    if chunk.labels[i] != .text(name) { firstErrors += 1 }
                }
            }
            guard i >= delay else { continue }
            let joined = try table.join("\(i - delay)", at: at(Double(i), UInt64(i)))
            var row = joined.features
            row.labels[0] = chunk.labels[i - delay]
            let steps = late.learn(row)
            table.compare(joined, steps)
            let expected = prompt.learn(chunk[i - delay..<i - delay + 1])
            #expect(steps.losses == expected.losses)
            #expect(steps.predictions.map(\.bitPattern) == expected.predictions.map(\.bitPattern))
        }
        #expect(late.network!.flatParameters == prompt.network!.flatParameters)
        #expect(table.counts.joined == UInt64(chunk.count) && table.count == 0)
        #expect(table.counts.compared == UInt64(compared) && compared == chunk.count - delay - 1)
        #expect(table.counts.firstErrors == Double(firstErrors) && firstErrors > 0)
    }

    @Test func firstErrorOfANumber_isItsDistance() throws {
        let learner = try Learner()
        var table = LateLabels<Sample>()
        for (i, value) in [0.5, 1.25, 2.75].enumerated() {
            table.hold(Sample([1]), id: "\(i)", bytes: 4, prediction: .value(1), at: at(0))
            let joined = try table.join("\(i)", at: at(1))
            var sample = joined.features
            sample.label = .number(Float(value))
            table.compare(joined, learner.learn(try SampleChunk([sample])))
        }
        #expect(table.counts.compared == 3 && table.counts.firstErrors == 0.5 + 0.25 + 1.75)
    }

    @Test func forgedTables_areRefused() throws {
        var late = LateLabels<Int>(limits: LateLabelLimits(samples: 2))
        late.hold(1, id: "a", bytes: 4, at: at(1))
        late.hold(2, id: "b", bytes: 4, at: at(2))
        let text = String(decoding: try JSONEncoder().encode(late), as: UTF8.self)
        _ = try JSONDecoder().decode(LateLabels<Int>.self, from: Data(text.utf8))
        for (old, new) in [
            ("\"samples\":2", "\"samples\":1"), ("\"id\":\"b\"", "\"id\":\"a\""), ("\"bytes\":133", "\"bytes\":-1"),
            ("\"seconds\":1,", "\"seconds\":3,"), ("\"seconds\":1}", "\"seconds\":3}"),
        ] where text.contains(old) {
            let forged = text.replacingOccurrences(of: old, with: new)
            #expect(throws: DecodingError.self, "\(new)") {
                try JSONDecoder().decode(LateLabels<Int>.self, from: Data(forged.utf8))
            }
        }
    }

    // MARK: The directive

    @Test func directive_givesIdAndLabel() throws {
        let late = try LateLabel(directive: "label a7 setosa")
        #expect(late.id == "a7" && late.label == .text("setosa"))
        #expect(try LateLabel(directive: "label  a7   1.5 ").label == .number(1.5))
        #expect(try LateLabel(directive: "label a7 two words").label == .text("two words"))
    }

    @Test(arguments: [
        "label", "label a7", "label a7 ", "label a7  ", "labels a7 1", "label a7 1e99", "label a7 nan", "label  ",
        "label \(String(repeating: "x", count: 257)) 1",
    ]) func directiveThatIsNone_saysWhatIsMissing(directive: String) {
        #expect { try LateLabel(directive: directive, line: 4) } throws: { ($0 as? SampleError)?.line == 4 }
    }

    @Test func lateLabel_isALabel() {
        #expect(throws: SampleError.self) { try LateLabel(id: "a", label: .none) }
        #expect(throws: SampleError.self) { try LateLabel(id: "", label: 1) }
        #expect(throws: SampleError.self) { try LateLabel(id: "a", label: .number(.infinity)) }
    }
}
