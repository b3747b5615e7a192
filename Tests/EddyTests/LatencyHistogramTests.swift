// Durations in fixed buckets, and quantiles of the last ten seconds.

import Testing

@testable import Eddy

@Suite struct LatencyHistogramTests {
    @Test func bounds_areOneTwoFiveFromAMicrosecondToTenSeconds() {
        #expect(LatencyHistogram.bounds.count == 22)
        #expect(LatencyHistogram.bounds.prefix(4) == [1e-6, 2e-6, 5e-6, 1e-5])
        #expect(LatencyHistogram.bounds.suffix(4) == [1, 2, 5, 10])
    }

    @Test func durations_fallIntoTheFirstBucketThatHoldsThem() {
        for (i, bound) in LatencyHistogram.bounds.enumerated() {
            #expect(LatencyHistogram.bucket(of: bound) == i)
            #expect(LatencyHistogram.bucket(of: bound * 1.001) == i + 1)
        }
        #expect(LatencyHistogram.bucket(of: 0) == 0)
        #expect(LatencyHistogram.bucket(of: .infinity) == 22)
    }

    @Test func quantiles_areWithinTheirBucket() throws {
        var random = TestRandom(seed: 1)
        var latency = LatencyHistogram()
        let durations = (0..<5000).map { _ in Double.random(in: 1e-5...1e-2, using: &random) }
        for duration in durations { latency.record(duration, at: 100) }
        let sorted = durations.sorted()
        for share in [0.01, 0.25, 0.5, 0.9, 0.99] {
            let exact = sorted[Int(share * 5000)]
            let told = try #require(latency.quantile(share, at: 100))
            let (one, other) = (LatencyHistogram.bucket(of: told), LatencyHistogram.bucket(of: exact))
            #expect(abs(one - other) <= 1 && abs(told - exact) / exact < 0.25)
        }
    }

    @Test func theWindow_forgetsAfterTenSeconds_theTotalsDoNot() {
        var latency = LatencyHistogram()
        latency.record(0.001, count: 5, at: 50.9)
        latency.record(3, count: 2, at: 55)
        #expect(latency.recentCount(at: 59.9) == 7)
        #expect(latency.recentCount(at: 60) == 2)
        #expect(latency.recentCount(at: 65) == 0 && latency.quantile(0.5, at: 65) == nil)
        latency.record(100, at: 1_000)
        #expect(latency.quantile(0.5, at: 1_000) == 10, "beyond the last bound")
        #expect(latency.count == 8 && latency.cumulativeCounts.last == 7 && latency.cumulativeCounts[9] == 5)
        #expect(abs(latency.sum - 106.005) < 1e-9)
    }

    @Test func whatIsNoDuration_isLeftOut() {
        var latency = LatencyHistogram()
        latency.record(.nan, at: 1)
        latency.record(1, count: 0, at: 1)
        latency.record(1, at: .nan)
        #expect(latency.count == 0)
        latency.record(-1, at: -3)
        #expect(latency.count == 1 && latency.recentCount(at: -3) == 1)
    }
}
