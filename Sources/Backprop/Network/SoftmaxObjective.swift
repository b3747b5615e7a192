// The loss of softmax regression over a table of samples, with its gradient: what a batch method minimises.
//
// Sixteen samples stand side by side, so that every operation is on whole lanes and each sample's sums are taken in the
// order of its features: the same bits on every machine.

/// The summed cross-entropy of a linear softmax over a table of samples, each by its weight, with a ridge.
package final class SoftmaxObjective {
    package let inputs: Int
    package let outputs: Int
    package let count: Int
    /// The ridge on weights, and the much smaller one on the constant terms.
    package let ridge: (weights: Float, constants: Float)
    /// Shape: (count / 16, inputs + 1, 16); the last of the inputs is 1.
    private let blocks: AlignedBuffer
    private let labels: UnsafeMutablePointer<Int32>
    private let weights: AlignedBuffer
    private let probabilities: AlignedBuffer
    private let sums: AlignedBuffer

    private var size: Int { inputs + 1 }

    package init(inputs: Int, outputs: Int, count: Int, ridge: (weights: Float, constants: Float)) {
        (self.inputs, self.outputs, self.count, self.ridge) = (inputs, outputs, count, ridge)
        let padded = AlignedBuffer.padded(count)
        blocks = AlignedBuffer(count: padded * (inputs + 1))
        labels = .allocate(capacity: padded)
        labels.initialize(repeating: 0, count: padded)
        weights = AlignedBuffer(count: padded)
        probabilities = AlignedBuffer(count: outputs * 16)
        sums = AlignedBuffer(count: outputs * (inputs + 1) * 16)
    }

    deinit { labels.deallocate() }

    /// Puts a sample into the table. Shape: (inputs).
    package func set(_ row: Int, _ x: UnsafePointer<Float>, label: Int, weight: Float) {
        let block = blocks.floats + row / 16 * size * 16 + row % 16
        for j in 0..<inputs { block[j * 16] = x[j] }
        block[inputs * 16] = 1
        labels[row] = Int32(label)
        weights.floats[row] = weight
    }

    /// The loss in nats, and its gradient. Shapes: (outputs, inputs + 1), the constant last.
    package func callAsFunction(_ w: [Float], gradient: inout [Float]) -> Double {
        var loss = 0.0
        for place in w.indices {
            let ridge = place % size == inputs ? ridge.constants : ridge.weights
            gradient[place] = ridge * w[place]
            loss += 0.5 * Double(gradient[place] * w[place])
        }
        sums.floats.update(repeating: 0, count: sums.count)
        w.withUnsafeBufferPointer { w in
            for block in 0..<AlignedBuffer.padded(count) / 16 { loss += add(block, w.baseAddress!) }
        }
        for place in w.indices {
            var sum: Float = 0
            for lane in 0..<16 { sum += sums.floats[place * 16 + lane] }
            gradient[place] += sum
        }
        return loss
    }

    /// Adds sixteen samples to the sums; returns their loss.
    private func add(_ block: Int, _ w: UnsafePointer<Float>) -> Double {
        let (size, outputs) = (size, outputs)
        let (x, p, sums) = (blocks.lanes + block * size, probabilities.lanes, sums.lanes)
        var highest = Lanes(repeating: -.greatestFiniteMagnitude)
        for k in 0..<outputs {
            var sum = Lanes()
            for j in 0..<size { sum += x[j] * w[k * size + j] }
            p[k] = sum
            highest = pointwiseMax(highest, sum)
        }
        var total = Lanes()
        for k in 0..<outputs {
            p[k] = Elementary.exp(p[k] - highest)
            total += p[k]
        }
        let weight = weights.lanes[block]
        let share = 1 / total
        for k in 0..<outputs { p[k] = p[k] * share }
        var loss = 0.0
        for lane in 0..<16 where block * 16 + lane < count {
            let place = Int(labels[block * 16 + lane]) * 16 + lane
            let said = max(probabilities.floats[place], 1e-30)
            loss -= Double(weight[lane] * Elementary.log(said))
            probabilities.floats[place] -= 1
        }
        for k in 0..<outputs {
            let error = p[k] * weight
            for j in 0..<size { sums[k * size + j] += error * x[j] }
        }
        return loss
    }
}
