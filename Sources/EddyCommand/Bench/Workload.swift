// Workloads W1 to W5: fixed networks with their samples, the same that other programs are measured on.
//
// Samples come from files that those programs read too, or from a seed, with like statistics: what a step costs
// depends on the network, and on how many inputs and rectified units are zero. A planted teacher labels W4 and W5.

import Eddy
import Foundation

struct Workload {
    let name: String
    let inputs: Int
    let layers: [Layer]
    let loss: Loss
    let learningRate: Float
    /// For each layer W (outputs, inputs) row-major, then b. nil: from the seed.
    var parameters: [Float]?
    /// Shape: (count, inputs), row-major.
    var features: [Float] = []
    /// Classes. Shape: (count).
    var labels: [Int] = []

    static let names = ["w1", "w2", "w3", "w4", "w5"]

    var description: String { ([inputs] + layers.map(\.outputs)).map { String($0) }.joined(separator: "-") }

    func network(_ arithmetic: Arithmetic) throws -> Network {
        let network = try Network(
            inputs: inputs, layers: layers, loss: loss, optimizer: .sgd(learningRate),
            initialization: layers.count == 1 ? .zeros : .xavier, seed: 1)
        network.arithmetic = arithmetic
        if let parameters { network.flatParameters = parameters }
        return network
    }

    // MARK: From files

    private struct Meta: Decodable {
        let n: Int
        let sizes: [Int]
        let act: String
        let lr: Float
        let out: String
    }

    /// Reads `NAME.json`, `NAME.x.f32`, `NAME.y.i32` and `NAME.init.f32`, little-endian.
    init(_ name: String, folder: String) throws {
        func read(_ suffix: String) throws -> Data {
            let path = folder + "/" + name + suffix
            guard let data = FileManager.default.contents(atPath: path) else {
                throw CommandError("cannot read \(path): no such file, or it may not be read")
            }
            return data
        }
        let meta: Meta
        do { meta = try JSONDecoder().decode(Meta.self, from: read(".json")) } catch let error as DecodingError {
            throw CommandError("\(folder)/\(name).json: \(error)")
        }
        guard meta.sizes.count >= 2, meta.sizes.allSatisfy({ $0 > 0 }), meta.n > 0,
            let activation = Activation(rawValue: meta.act)
        else { throw CommandError("\(folder)/\(name).json: expected sizes, n and act that make a network") }
        self.name = name
        inputs = meta.sizes[0]
        layers =
            meta.sizes.dropFirst().dropLast().map { .dense($0, activation) } + [
                .dense(meta.sizes[meta.sizes.count - 1])
            ]
        loss = meta.out == "bce" ? .binaryCrossEntropy : .crossEntropy
        learningRate = meta.lr
        parameters = words(try read(".init.f32")) { Float(bitPattern: $0) }
        features = words(try read(".x.f32")) { Float(bitPattern: $0) }
        labels = words(try read(".y.i32")) { Int(Int32(bitPattern: $0)) }
        let classes = loss == .crossEntropy ? layers[layers.count - 1].outputs : 2
        guard features.count == meta.n * inputs, labels.count == meta.n,
            parameters!.count == zip(meta.sizes, meta.sizes.dropFirst()).reduce(0, { $0 + ($1.0 + 1) * $1.1 }),
            labels.allSatisfy({ (0..<classes).contains($0) }), (features + parameters!).allSatisfy({ $0.isFinite })
        else { throw CommandError("\(folder)/\(name).*: the files do not fit \(name).json") }
    }

    // MARK: From a seed

    /// - Parameter name: one of ``names``.
    init(_ name: String, seed: UInt64 = 1) {
        self.name = name
        var random = SeededRandom(seed: seed)
        switch name {
        case "w1":
            // Standardised features, of which the label is a noisy linear function.
            (inputs, layers, loss, learningRate) = (30, [.dense(1)], .binaryCrossEntropy, 0.05)
            let teacher = random.normals(30)
            for _ in 0..<569 {
                let x = random.normals(30)
                let sum = zip(x, teacher).reduce(random.normal()) { $0 + $1.0 * $1.1 }
                add(x, sum > 0 ? 1 : 0)
            }
        case "w2":
            (inputs, layers, loss, learningRate) = (2, [.dense(8, .tanh), .dense(1)], .binaryCrossEntropy, 0.3)
            for _ in 0..<4096 {
                let x = [random.uniform(in: -1...1), random.uniform(in: -1...1)]
                add(x, x[0] * x[1] > 0 ? 1 : 0)
            }
        case "w3":
            // Sixteenths as of scanned digits, half of them zero: each class has its own strokes.
            (inputs, layers, loss, learningRate) = (64, [.dense(32, .relu), .dense(10)], .crossEntropy, 0.05)
            let strokes = (0..<10).map { _ in (0..<64).map { _ in random.uniform(in: 0...1) < 0.5 } }
            for _ in 0..<1797 {
                let label = Int(random.next() % 10)
                let x = strokes[label].map { isInked in
                    let isFlipped = random.uniform(in: 0...1) < 0.2
                    let ink = (random.uniform(in: 0...16) + 0.5).rounded(.down) / 16
                    return isInked != isFlipped ? ink : 0
                }
                add(x, label)
            }
        case "w4":
            (inputs, layers, loss, learningRate) = (784, [.dense(128, .relu), .dense(10)], .crossEntropy, 0.01)
            addTaught(4096, &random)
        default:
            precondition(name == "w5", "no workload \(name)")
            (inputs, layers, loss, learningRate) = (
                1024, [.dense(512, .relu), .dense(256, .relu), .dense(10)], .crossEntropy, 0.01
            )
            addTaught(4096, &random)
        }
    }

    private mutating func add(_ x: [Float], _ label: Int) {
        features += x
        labels.append(label)
    }

    /// Normal features, labelled by the likeliest output of a random network with 32 rectified units; each output's
    /// mean is taken off, so that no class is rare.
    private mutating func addTaught(_ count: Int, _ random: inout SeededRandom) {
        let (hidden, classes) = (32, 10)
        features = random.normals(count * inputs)
        let first = random.normals(inputs * hidden)  // (inputs, hidden)
        let second = random.normals(hidden * classes)  // (hidden, classes)
        var scores = [Float](repeating: 0, count: count * classes)
        for i in 0..<count {
            var units = SIMD32<Float>()
            for j in 0..<inputs {
                let x = features[i * inputs + j]
                for h in 0..<hidden { units[h] += x * first[j * hidden + h] }
            }
            for h in 0..<hidden where units[h] > 0 {
                for k in 0..<classes { scores[i * classes + k] += units[h] * second[h * classes + k] }
            }
        }
        let means = (0..<classes).map { k in
            (0..<count).reduce(Float(0)) { $0 + scores[$1 * classes + k] } / Float(count)
        }
        labels = (0..<count).map { i in
            (0..<classes).max { scores[i * classes + $0] - means[$0] < scores[i * classes + $1] - means[$1] }!
        }
    }
}

private func words<Word>(_ data: Data, _ word: (UInt32) -> Word) -> [Word] {
    data.withUnsafeBytes { bytes in
        stride(from: 0, through: bytes.count - 4, by: 4).map {
            word(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self)))
        }
    }
}

extension SeededRandom {
    /// Nearly normal, of mean 0 and variance 1: the sum of four uniform numbers.
    mutating func normal() -> Float {
        let bound = Float(0.75).squareRoot()
        return (0..<4).reduce(Float(0)) { sum, _ in sum + uniform(in: -bound...bound) }
    }

    mutating func normals(_ count: Int) -> [Float] { (0..<count).map { _ in normal() } }
}
