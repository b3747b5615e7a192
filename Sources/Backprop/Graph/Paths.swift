// Paths: every way by which one element (say, a weight) moves the output.
//
// A gradient is the sum, over all paths, of the product of the local derivatives along the
// path; the lecture notes' unit that feeds two others has two. A network has far too many
// paths to list, so the largest are found exactly and the rest is told as one sum. The
// search is best-first over deviations (Lawler 1972): a backward pass gives, for every
// element, the largest |product| from there to the output; a candidate is a whole path,
// one that leaves an earlier found path at some point by another edge and then follows the
// best way on. Each turn takes the best candidate and adds its deviations, so k paths cost
// k turns, also where thousands of paths are equal, and nothing is exponential.

/// The largest paths from one element to a scalar output, largest first.
public struct Paths: Sendable, Codable, Equatable {
    /// One way from the element to the output.
    public struct Path: Sendable, Codable, Equatable {
        /// The elements on the way by name, from the source to the output.
        public let elements: [String]
        /// The local derivative of each step; one fewer than the elements.
        public let derivatives: [Double]
        /// The product of the derivatives: what this path adds to the gradient.
        public let product: Double
        /// product / gradient; nil where the gradient is 0.
        public let share: Double?
    }

    /// The element that the paths come from, and the output that they go to.
    public let source: String, output: String
    /// The whole gradient, the sum of every path's product, as `backward` computes it.
    public let gradient: Double
    /// How many paths there are (`Int.max` if more).
    public let count: Int
    /// The largest paths by magnitude, in descending order.
    public let largest: [Path]
    /// The sum over all the other paths: gradient − Σ largest, or 0 where every path is listed.
    public let rest: Double
}

extension Paths: CustomStringConvertible {
    /// The paths, one a line: product, share of the gradient, and the way with its derivatives.
    public var description: String {
        var lines = [
            "gradient of \(output) with respect to \(source): \(Trace.format(gradient)), over \(Trace.counted(count, "path"))"
        ]
        for path in largest {
            let share = path.share.map { " (\(Trace.format(100 * $0)) %)" } ?? ""
            let steps = zip(path.derivatives, path.elements.dropFirst()).map { " → ×\(Trace.format($0)) → \($1)" }
            lines.append("  \(Trace.format(path.product))\(share)  \(path.elements[0])\(steps.joined())")
        }
        if largest.count < count {
            let others = count == .max ? "all others" : Trace.counted(count - largest.count, "other")
            lines.append("  \(Trace.format(rest))  \(others)")
        }
        return lines.joined(separator: "\n")
    }
}

extension Graph {
    /// The largest paths by which an element moves a scalar output, and the sum of the others.
    ///
    ///     graph.paths(from: w, element: 3, to: loss).largest.first?.share
    ///
    /// The cost is one walk over the tape and then `limit` times a path's edges and side edges.
    public func paths(from node: Node, element: Int = 0, to output: Node, limit: Int = 50) -> Paths {
        let search = PathSearch(self, from: position(of: node, element), of: node, to: output)
        let gradient = backward(from: output)[node, element]
        let found = search.largest(limit).map { edges in
            Paths.Path(
                elements: [name(of: node, element: element)] + edges.map { name(at: $0.to) },
                derivatives: edges.map(\.derivative), product: edges.product,
                share: gradient == 0 ? nil : edges.product / gradient)
        }
        let rest = search.count == found.count ? 0 : gradient - found.reduce(0) { $0 + $1.product }
        return Paths(
            source: name(of: node, element: element), output: name(of: output), gradient: gradient,
            count: search.count, largest: found, rest: rest)
    }

    /// The name of the element at a position in `values`.
    func name(at position: Int) -> String {
        // The tape is ordered by position: find the last node that begins at or before it.
        var (low, high) = (0, tape.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if tape[middle].elements.lowerBound <= position { low = middle } else { high = middle }
        }
        return name(of: Node(index: low), element: position - tape[low].elements.lowerBound)
    }
}

/// |product|. NaN is as large as can be, so that it is seen first and compares with everything.
private func magnitude(_ product: Double) -> Double { product.isNaN ? .infinity : abs(product) }

/// The edges between one element and the output, and the best-first search over them.
private struct PathSearch {
    /// A path not yet taken: a part of one found before, then another edge, then the best way on.
    struct Candidate {
        var magnitude: Double
        var kept: [Graph.Edge]  // of the earlier path, up to the deviation
        var choice: Int  // index in `leaving` of the edge taken there
    }

    let source: Int, target: Int
    private(set) var leaving: [Int: [Graph.Edge]] = [:]  // by `from`, the best way to the output first
    private(set) var best: [Int: Double] = [:]  // largest |product| from here to the output
    private(set) var count = 0

    init(_ graph: Graph, from source: Int, of node: Graph.Node, to output: Graph.Node) {
        (self.source, target) = (source, graph.position(of: output, 0))
        let needed = graph.ancestors(of: output)

        // Forward: the edges that can be reached from the source.
        var reached: Set<Int> = [source]
        var edges: [Graph.Edge] = []
        for next in graph.nodes[node.index...] where needed[next.index] {
            graph.forEachEdge(into: next) { edge in
                guard reached.contains(edge.from) else { return }
                reached.insert(edge.to)
                edges.append(edge)
            }
        }

        // Backward: the best continuation and the number of continuations of every element.
        // An edge is met after all those that leave its end, since the tape is in order.
        var counts = [target: 1]
        best[target] = 1
        for edge in edges.reversed() {
            guard let beyond = best[edge.to], let ways = counts[edge.to] else { continue }
            best[edge.from] = max(best[edge.from] ?? 0, magnitude(edge.derivative * beyond))
            let (sum, overflow) = counts[edge.from, default: 0].addingReportingOverflow(ways)
            counts[edge.from] = overflow ? .max : sum
            leaving[edge.from, default: []].append(edge)
        }
        count = counts[source] ?? 0
        for (from, edges) in leaving { leaving[from] = edges.reversed().sorted { weight($0) > weight($1) } }
    }

    private func weight(_ edge: Graph.Edge) -> Double { magnitude(edge.derivative * best[edge.to]!) }

    /// The `limit` largest paths, each as its edges from the source on.
    func largest(_ limit: Int) -> [[Graph.Edge]] {
        guard count > 0, limit > 0 else { return [] }
        guard source != target else { return [[]] }  // the output itself: one path without edges
        var found: [[Graph.Edge]] = []
        var candidates = [Candidate(magnitude: best[source]!, kept: [], choice: 0)]  // descending, at most `limit`
        while found.count < limit, !candidates.isEmpty {
            let candidate = candidates.removeFirst()
            let room = limit - found.count - 1  // a candidate beyond this would never be taken

            // Take the chosen edge, then the best one from every element after it.
            var path = candidate.kept
            var choice = candidate.choice
            var product = path.reduce(1) { $0 * $1.derivative }
            var here = path.last?.to ?? source
            while here != target {
                // The deviation here is the next best edge. Deviations before the one that made
                // this candidate belong to its parent, so every path is generated exactly once.
                let edges = leaving[here]!
                if choice + 1 < edges.count {
                    let next = edges[choice + 1]
                    let size = magnitude(product * next.derivative * best[next.to]!)
                    let place = candidates.firstIndex { $0.magnitude < size } ?? candidates.endIndex
                    if place < room {
                        candidates.insert(Candidate(magnitude: size, kept: path, choice: choice + 1), at: place)
                        if candidates.count > room { candidates.removeLast() }
                    }
                }
                path.append(edges[choice])
                product *= edges[choice].derivative
                here = edges[choice].to
                choice = 0
            }
            found.append(path)
        }
        // Products that differ by rounding alone may have come in either order.
        return found.sorted { magnitude($0.product) > magnitude($1.product) }
    }
}

extension [Graph.Edge] {
    /// The product of a path's derivatives, taken from the output on, as `backward` does.
    fileprivate var product: Double { reversed().reduce(1) { $0 * $1.derivative } }
}
