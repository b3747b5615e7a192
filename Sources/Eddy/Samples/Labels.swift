// The labels of a chunk, as a column.
//
// Most streams have numbers or nothing, and these stand in one flat array that is copied, checked and freed at once; an
// array of an enum with strings in it is looked through for each of that. Names have a column of their own from the
// first one on.

/// A collection of ``Label``, flat.
///
///     var labels: Labels = [1, .none, 0]
///     labels.append("setosa")
///     labels[3]  // .text("setosa")
public struct Labels: Sendable {
    /// NaN where there is no number. Shape: (count).
    private(set) var numbers: [Float] = []
    /// Shape: (count), or empty where none is a name.
    private(set) var names: [String?] = []

    public init() {}

    /// Numbers, NaN for none.
    init(numbers: [Float]) { self.numbers = numbers }

    /// Whether none is a name.
    var areNumbers: Bool { names.isEmpty }

    public mutating func reserveCapacity(_ count: Int) {
        numbers.reserveCapacity(count)
        if !names.isEmpty { names.reserveCapacity(count) }
    }

    @inline(__always)
    public mutating func append(_ label: Label) {
        switch label {
        case .none: numbers.append(.nan)
        case .number(let value): numbers.append(value)
        case .text: return appendName(label)
        }
        if !names.isEmpty { names.append(nil) }
    }

    private mutating func appendName(_ label: Label) {
        if names.isEmpty { names = Array(repeating: nil, count: numbers.count) }
        numbers.append(.nan)
        if case .text(let name) = label { names.append(name) }
    }
}

extension Labels: RandomAccessCollection, MutableCollection {
    public var startIndex: Int { 0 }
    public var endIndex: Int { numbers.count }

    public subscript(index: Int) -> Label {
        get {
            if !names.isEmpty, let name = names[index] { return .text(name) }
            return numbers[index].isNaN ? .none : .number(numbers[index])
        }
        set {
            if case .text = newValue, names.isEmpty { names = Array(repeating: nil, count: numbers.count) }
            numbers[index] = if case .number(let value) = newValue { value } else { .nan }
            if !names.isEmpty { names[index] = if case .text(let name) = newValue { name } else { nil } }
        }
    }
}

extension Labels: Equatable, ExpressibleByArrayLiteral {
    public init(_ labels: some Sequence<Label>) {
        for label in labels { append(label) }
    }

    public init(arrayLiteral labels: Label...) { self.init(labels) }

    public static func == (one: Labels, other: Labels) -> Bool { one.elementsEqual(other) }
}
