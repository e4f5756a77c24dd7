public import LinuxIO

/// The way in which the checks of a target are encrypted.
public struct CheckEncryption: Hashable, Sendable {
    private let owner: any AnyObject & Sendable
    private let name: String?
    /// Makes the session of one check, on the checker's thread.
    let makeSession: @Sendable () -> any SecureSession

    /// An encryption. Two of the same owner and name are equal, and their targets share a check.
    /// - Parameters:
    ///   - owner: what makes the sessions; it lives as long as this.
    ///   - name: the name that the member must have.
    public init(
        _ owner: any AnyObject & Sendable, name: String?, makeSession: @escaping @Sendable () -> any SecureSession
    ) {
        self.owner = owner
        self.name = name
        self.makeSession = makeSession
    }

    /// Whether both have the same owner and name.
    public static func == (left: CheckEncryption, right: CheckEncryption) -> Bool {
        left.owner === right.owner && left.name == right.name
    }

    /// Takes in the owner and the name.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(owner))
        hasher.combine(name)
    }
}
