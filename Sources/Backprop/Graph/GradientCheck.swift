// Gradient check: the graph's gradients against central differences.
//
// (f(x + h) − f(x − h)) / 2h knows nothing of the chain rule, so it can judge the table of
// local derivatives. Its own error is h²f‴/6 from the formula and about εf/h from rounding;
// h = 6e-6 (the cube root of ε) balances them near 1e-10. It is wrong within h of a kink
// (ReLU and Huber), which the caller has to avoid, and it will rightly contradict the step
// activation, whose stated derivative is the perceptron rule's and not a derivative.

/// A comparison of every parameter's gradient with a numerical one.
///
///     GradientCheck(graph, output: loss).worst?.relativeError  // below 1e-6 if all is well
public struct GradientCheck: Sendable {
    /// One element of one parameter.
    public struct Entry: Sendable, Equatable {
        /// The element, such as `W[0,2]`.
        public let name: String
        /// What `backward` says.
        public let analytic: Double
        /// What central differences say.
        public let numeric: Double

        /// |analytic − numeric| / max(|analytic|, |numeric|, 1e-3). The floor is there since differences
        /// are only good to about 1e-10, which says nothing of a gradient as small; NaN counts as infinite.
        public var relativeError: Double {
            let error = abs(analytic - numeric) / max(abs(analytic), abs(numeric), 1e-3)
            return error.isNaN ? .infinity : error
        }
    }

    /// Every element of every parameter, in the order of recording.
    public let entries: [Entry]

    /// The entry with the largest relative error, or nil for a graph without parameters.
    public var worst: Entry? { entries.max { $0.relativeError < $1.relativeError } }

    /// Checks every parameter (not the constants) of a graph with a scalar output.
    ///
    /// - Parameter step: h, relative to the parameter where that is above 1.
    public init(_ graph: Graph, output: Graph.Node, step: Double = 6e-6) {
        let gradients = graph.backward(from: output)
        var moved = graph
        entries = graph.parameters.flatMap { parameter in
            let value = graph[parameter]
            return value.indices.map { element in
                func outputWith(_ x: Double) -> Double {
                    var changed = value
                    changed[element] = x
                    moved.set(parameter, to: changed)
                    return moved[output, 0]
                }
                let h = step * max(1, abs(value[element]))
                let (above, below) = (value[element] + h, value[element] - h)
                let numeric = (outputWith(above) - outputWith(below)) / (above - below)
                moved.set(parameter, to: value)
                return Entry(
                    name: graph.name(of: parameter, element: element), analytic: gradients[parameter, element],
                    numeric: numeric)
            }
        }
    }
}
