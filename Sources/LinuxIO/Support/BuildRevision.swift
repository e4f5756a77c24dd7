import CLinux

/// The source that this program was built from.
public enum BuildRevision {
    /// The commit, followed by `-dirty` if files had changed; `unknown` if it was built outside a repository.
    public static let text = unsafe String(cString: weir_revision())
}
