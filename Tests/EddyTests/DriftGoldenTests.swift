// River's events (scripts/golden-drift.py), one by one: the same alarms at the same numbers, for every stream and setting.

import Foundation
import Testing

@testable import Eddy

private struct Golden: Decodable {
    struct Setting: Decodable {
        struct Parameters: Decodable {
            var delta, threshold, alpha, warning_threshold, drift_threshold: Double?
            var clock, max_buckets, min_window_length, grace_period, min_instances, warm_start: Int?
            var window_size, stat_size: Int?
            var seed: UInt64?
            var mode: PageHinkley.Mode?
        }

        let detector: String
        let parameters: Parameters

        init(from decoder: any Decoder) throws {
            var container = try decoder.unkeyedContainer()
            detector = try container.decode(String.self)
            parameters = try container.decode(Parameters.self)
        }
    }

    struct Events: Decodable {
        let stream: Int
        let setting: Int
        let drifts: [Int]
        /// DDM: where the warning zone is entered and left, in turn. ADWIN: the window at the end.
        let more: [Double]

        init(from decoder: any Decoder) throws {
            var container = try decoder.unkeyedContainer()
            stream = try container.decode(Int.self)
            setting = try container.decode(Int.self)
            drifts = try container.decode([Int].self)
            more = try container.decode([Double].self)
        }
    }

    struct Sample: Decodable {
        let seed: UInt64
        let count: Int
        let below: Int
        let rounds: [[Int]]
    }

    let streams: [DriftStream]
    let settings: [Setting]
    let events: [Events]
    let samples: [Sample]
    let probabilities: [[Double]]

    static let loaded = Result {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/drift", withExtension: "json"))
        return try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
    }

    /// All events of one detector, with its streams.
    func forEach(_ detector: String, _ body: (Setting.Parameters, [Double], Events, Comment) throws -> Void) rethrows {
        var values: [Int: [Double]] = [:]
        for event in events where settings[event.setting].detector == detector {
            let stream = values[event.stream] ?? streams[event.stream].values
            values[event.stream] = stream
            let comment: Comment = "\(streams[event.stream]), \(settings[event.setting])"
            try body(settings[event.setting].parameters, stream, event, comment)
        }
    }
}

@Suite struct DriftGoldenTests {
    @Test func adwin_alarmsWhereRiversDoes_andHasItsWindow() throws {
        var alarms = 0
        try Golden.loaded.get().forEach("adwin") { parameters, values, golden, comment in
            var detector = ADWIN(
                delta: parameters.delta ?? 0.002, clock: parameters.clock ?? 32,
                maxBuckets: parameters.max_buckets ?? 5, minWindowLength: parameters.min_window_length ?? 5,
                gracePeriod: parameters.grace_period ?? 10)
            #expect(events(of: &detector, in: values).drifts == golden.drifts, comment)
            #expect([Double(detector.width), detector.total, detector.squares] == golden.more, comment)
            alarms += golden.drifts.count
        }
        #expect(alarms > 1000)
    }

    @Test func pageHinkley_alarmsWhereRiversDoes() throws {
        var alarms = 0
        try Golden.loaded.get().forEach("pageHinkley") { parameters, values, golden, comment in
            var detector = PageHinkley(
                minInstances: parameters.min_instances ?? 30, delta: parameters.delta ?? 0.005,
                threshold: parameters.threshold ?? 50, alpha: parameters.alpha ?? 1 - 0.0001,
                mode: parameters.mode ?? .both)
            #expect(events(of: &detector, in: values).drifts == golden.drifts, comment)
            alarms += golden.drifts.count
        }
        #expect(alarms > 500)
    }

    @Test func ddm_alarmsAndWarnsWhereRiversDoes() throws {
        var (alarms, warnings) = (0, 0)
        try Golden.loaded.get().forEach("ddm") { parameters, values, golden, comment in
            let detector = DDM(
                warmStart: parameters.warm_start ?? 30, warningThreshold: parameters.warning_threshold ?? 2,
                driftThreshold: parameters.drift_threshold ?? 3)
            var whole = detector
            let found = events(of: &whole, in: values)
            #expect(found.drifts == golden.drifts, comment)
            var single = detector
            var zones: [Int] = []
            for (i, value) in values.enumerated() {
                let before = single.isInWarningZone
                _ = single.update(value)
                if single.isInWarningZone != before { zones.append(i) }
            }
            #expect(zones == golden.more.map { Int($0) }, comment)
            #expect(found.warnings == stride(from: 0, to: zones.count, by: 2).map { zones[$0] }, comment)
            alarms += found.drifts.count
            warnings += found.warnings.count
        }
        #expect(alarms > 20 && warnings > 50)
    }

    @Test func kswin_alarmsWhereRiversDoes() throws {
        var alarms = 0
        try Golden.loaded.get().forEach("kswin") { parameters, values, golden, comment in
            var detector = KSWIN(
                alpha: parameters.alpha ?? 0.005, windowSize: parameters.window_size ?? 100,
                statSize: parameters.stat_size ?? 30, seed: parameters.seed ?? 1)
            #expect(events(of: &detector, in: values).drifts == golden.drifts, comment)
            alarms += golden.drifts.count
        }
        #expect(alarms > 500)
    }

    @Test func mersenneTwister_drawsWhatPythonDraws() throws {
        let golden = try Golden.loaded.get().samples
        #expect(golden.count == 8)
        for golden in golden {
            var random = MersenneTwister(seed: golden.seed)
            for round in golden.rounds {
                var drawn: [Int] = []
                withUnsafeTemporaryAllocation(of: Int32.self, capacity: golden.below) { places in
                    random.sample(golden.count, below: golden.below, places: places) { drawn.append($0) }
                }
                #expect(drawn == round)
            }
        }
    }

    @Test func probabilityOfADistance_isSciPys() throws {
        let golden = try Golden.loaded.get().probabilities
        #expect(golden.count > 100)
        for row in golden {
            // Where SciPy falls back on the asymptotic distribution, ours is 1; else the same to the bit.
            let ours = KSWIN.probability(distance: Int(row[1]), size: Int(row[0]))
            #expect(ours == row[2] || (ours == 1 && row[2] > 0.999), "\(row)")
        }
    }
}
