// In which order a network's sums are taken, and so which bits they give.

/// How the sums of a network are ordered.
public enum Arithmetic: String, Sendable, Hashable, Codable, CaseIterable {
    /// Sample by sample: the same bits on every machine and for any chunks.
    case sequential
    /// A large first layer takes eight samples of a chunk at once, each still learned before the next is predicted: the
    /// same algebra with fewer passes over the weights. The rounding then depends on how a stream is cut into chunks,
    /// and so do the last bits. Networks whose first layer is small, or whose optimizer has momentum or L2, and
    /// ``Kernels/swift`` stay sequential.
    case chunked
}
