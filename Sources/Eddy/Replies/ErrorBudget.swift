// A limit on how many errors a sender is told, so that a bad stream is not answered with as many bytes.

/// At most ten errors at once, and ten a second after that; the rest are counted.
struct ErrorBudget: Sendable {
    private var left = 10.0
    private var refilled = ContinuousClock.now
    private(set) var suppressed = 0

    mutating func allowsOne() -> Bool {
        let now = ContinuousClock.now
        left = min(10, left + 10 * ((now - refilled) / .seconds(1)))
        refilled = now
        if left >= 1 {
            left -= 1
            return true
        }
        suppressed += 1
        return false
    }
}
