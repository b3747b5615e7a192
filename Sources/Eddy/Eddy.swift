// What people embed. `import Eddy` is all they need.

@_exported import Backprop

/// The version of Eddy.
public enum EddyVersion {
    public static let current = "0.1.0"
}
