// Who learns next, where many pipelines share a session and its thread with others.

/// Turns at learning. A pipeline's chunk is learned when its turn has come; meanwhile the host looks after others, such as
/// its sockets.
///
/// All calls come on the session's executor: `beginAtOnce`, or where that was refused `begin`, then `end`.
public protocol LearningTurns: Sendable {
    /// Takes the turn if nobody else has or awaits it.
    func beginAtOnce() -> Bool
    /// Waits for the turn, in the order of the calls.
    nonisolated(nonsending) func begin() async
    /// Hands the turn on.
    func end()
}
