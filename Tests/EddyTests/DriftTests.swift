// What every drift detector promises: one alarm a change, no state but what is encoded, nothing from what is no number.

import Foundation
import Testing

@testable import Eddy

@Suite struct DriftTests {
    /// Each kind of detector in some settings.
    static let detectors: [any DriftDetector] = [
        ADWIN(), ADWIN(delta: 0.3, clock: 1, maxBuckets: 2, minWindowLength: 1, gracePeriod: 1),
        PageHinkley(threshold: 5), PageHinkley(minInstances: 1, threshold: 2, alpha: 0.9, mode: .up),
        DDM(), DDM(warmStart: 5, warningThreshold: 0.5, driftThreshold: 1),
        KSWIN(alpha: 1e-6, seed: 7), KSWIN(alpha: 0.05, windowSize: 30, statSize: 10, seed: 8),
    ]

    private static let encoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return encoder
    }()

    private func decoded<Detector: DriftDetector>(_ detector: Detector) throws -> Detector {
        try JSONDecoder().decode(Detector.self, from: DriftTests.encoder.encode(detector))
    }

    /// Errors of 0 and 1: seldom, then often from `change` on.
    private func errors(_ count: Int, change: Int, seed: UInt64) -> [Double] {
        var random = SeededRandom(seed: seed)
        return (0..<count).map { random.uniform(in: 0...1) < ($0 < change ? 0.1 : 0.9) ? 1 : 0 }
    }

    @Test(arguments: 0..<4) func oneChange_givesOneAlarm(kind: Int) {
        // Every tenth an error, then nine of ten: no chance, and so no false alarm.
        func check(_ detector: some DriftDetector, change: Int) {
            var detector = detector
            let errors = (0..<change + 600).map { ($0 % 10 == 0) == ($0 < change) ? 1.0 : 0.0 }
            let found = events(of: &detector, in: errors)
            #expect(found.drifts.count == 1, "\(type(of: detector)), \(change): \(found)")
            #expect(found.drifts.allSatisfy { (change..<change + 80).contains($0) }, "\(change): \(found)")
        }
        let detector = DriftTests.detectors[2 * kind]
        for change in stride(from: 150, to: 3000, by: 77) { check(detector, change: change) }
    }

    @Test func warningZone_isToldOnceEachTimeItIsEntered() {
        var detector = DDM()
        var zone = false
        for value in errors(5000, change: 2500, seed: 3) {
            let signal = detector.update(value)
            #expect((signal == .warning) == (detector.isInWarningZone && !zone))
            zone = detector.isInWarningZone
        }
    }

    @Test(arguments: 0..<detectors.count) func encodedDetector_goesOnAsIfNeverStopped(index: Int) throws {
        func check(_ detector: some DriftDetector) throws {
            var random = TestRandom(seed: UInt64(index))
            for seed in 1...6 as ClosedRange<UInt64> {
                let values = errors(700, change: 350, seed: seed)
                var whole = detector
                var stopped = detector
                for value in values {
                    if random.oneIn(40) { stopped = try decoded(stopped) }
                    let signal = whole.update(value)
                    let same = stopped.update(value)
                    #expect(same == signal)
                }
                #expect(try DriftTests.encoder.encode(stopped) == DriftTests.encoder.encode(whole))
            }
        }
        try check(DriftTests.detectors[index])
    }

    @Test(arguments: 0..<detectors.count) func whatIsNoMeasurement_changesNothing(index: Int) throws {
        func check(_ detector: some DriftDetector) throws {
            var detector = detector
            for value in errors(150, change: 300, seed: 5) { _ = detector.update(value) }
            let before = try DriftTests.encoder.encode(detector)
            for value in [Double.nan, .infinity, -.infinity, 1e101, -.greatestFiniteMagnitude] {
                let signal = detector.update(value)
                #expect(signal == .none)
            }
            #expect(try DriftTests.encoder.encode(detector) == before)
        }
        try check(DriftTests.detectors[index])
    }

    @Test(arguments: 0..<detectors.count) func largestMeasurements_leaveADetectorThatCanBeWritten(index: Int) throws {
        func check(_ detector: some DriftDetector) throws {
            var detector = detector
            for i in 0..<500 { _ = detector.update(i % 3 == 0 ? 1e100 : -1e100) }
            _ = try DriftTests.encoder.encode(detector)
        }
        try check(DriftTests.detectors[index])
    }

    /// A model file may be damaged or forged: figures that would read past an array, or loop, are refused.
    @Test func figuresThatCannotBe_areRefused() throws {
        func refuses<Detector: DriftDetector>(_ detector: Detector, _ changes: [(key: String, value: Any)]) throws {
            var detector = detector
            for value in errors(150, change: 300, seed: 5) { _ = detector.update(value) }
            let json = try JSONSerialization.jsonObject(with: DriftTests.encoder.encode(detector))
            for (key, value) in changes {
                var object = try #require(json as? [String: Any])
                #expect(object[key] != nil)
                object[key] = value
                let data = try JSONSerialization.data(withJSONObject: object)
                #expect(throws: DecodingError.self, "\(key)") { try JSONDecoder().decode(Detector.self, from: data) }
            }
        }
        try refuses(
            ADWIN(),
            [
                ("counts", [6]), ("counts", [-1, 1]), ("counts", [Int]()), ("sums", [1.0]), ("width", 151),
                ("maxBuckets", 0), ("maxBuckets", Int.max), ("clock", 0), ("ticks", 32), ("delta", 0),
            ])
        try refuses(
            KSWIN(),
            [
                ("window", Array(repeating: 0, count: 101)), ("statSize", 51), ("statSize", 0), ("alpha", 2),
                ("windowSize", Int.max), ("random", ["words": [1], "used": 0]),
                ("random", ["words": Array(repeating: 0, count: 624), "used": 0]),
                ("random", ["words": Array(repeating: 1, count: 624), "used": 625]),
            ])
    }

    @Test func naturalLogarithm_isWithinAUnitInTheLastPlace() {
        var random = TestRandom(seed: 4)
        for i in 0..<100_000 {
            let x = i % 2 == 0 ? Double.random(in: 0.3...4, using: &random) : Double.random(in: 1...1e9, using: &random)
            let expected = Foundation.log(x)
            #expect(abs(NaturalLogarithm.of(x) - expected) <= 1.01 * expected.ulp, "\(x)")
        }
        #expect(NaturalLogarithm.of(1) == 0)
    }

    /// The examples of the docstrings.
    @Test func examples() {
        func first(_ detector: some DriftDetector) -> Int? {
            var detector = detector
            return events(of: &detector, in: (0..<1000).map { $0 < 500 ? 0.1 : 0.9 }).drifts.first
        }
        #expect(first(PageHinkley(threshold: 5)) == 506)
        #expect(first(ADWIN()) == 543)
        #expect(first(KSWIN(alpha: 0.0001, seed: 42)) == 516)
        var ddm = DDM()
        let signal = ddm.update(1)
        #expect(signal == .none)
    }
}
