// What an update costs; told, not judged, since machines are noisy. Run with EDDY_DRIFT_SPEED=1.

import Eddy
import Foundation
import Testing

@Suite(.enabled(if: ProcessInfo.processInfo.environment["EDDY_DRIFT_SPEED"] != nil))
struct DriftSpeedTests {
    private func measure(_ name: String, _ detector: some DriftDetector, _ values: [Double]) {
        var times: [Double] = []
        var alarms = 0
        for _ in 0..<7 {
            var detector = detector
            let clock = ContinuousClock()
            let time = clock.measure {
                for value in values where detector.update(value) == .drift { alarms += 1 }
            }
            times.append(Double(time.components.attoseconds) * 1e-9 + Double(time.components.seconds) * 1e9)
        }
        let median = times.sorted()[3] / Double(values.count)
        print("\(name): \(String(format: "%.1f", median)) ns a number, \(alarms / 7) alarms in \(values.count)")
    }

    @Test func costOfAnUpdate() {
        let losses = DriftStream("loss", .none, seed: 1, count: 300_000).values
        let errors = DriftStream("bernoulli", .none, seed: 2, count: 300_000).values
        measure("ADWIN", ADWIN(), losses)
        measure("ADWIN, errors", ADWIN(), errors)
        measure("ADWIN, clock 1", ADWIN(clock: 1), Array(losses.prefix(50_000)))
        measure("PageHinkley", PageHinkley(), losses)
        measure("DDM", DDM(), errors)
        measure("KSWIN", KSWIN(alpha: 1e-6), Array(losses.prefix(50_000)))
        measure("KSWIN, errors", KSWIN(alpha: 1e-6), Array(errors.prefix(50_000)))
    }
}
