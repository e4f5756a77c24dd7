import Foundation

/// The error of a missing program, which the tests need.
package struct MissingTool: Error, CustomStringConvertible {
    package let name: String
    package var description: String { "\(name) is missing: run scripts/setup-tools tests" }
}

/// Finds programs: first those that `scripts/setup-tools` unpacked, then those of the system.
package enum Tool {
    /// The checkout that these tests were compiled from.
    package static let repository: String = {
        // Tests/TestSupport/Processes/Tool.swift
        var url = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        for _ in 0..<4 { url.deleteLastPathComponent() }
        return url.path
    }()

    package static func path(_ name: String) throws -> String {
        for folder in folders where access("\(folder)/\(name)", X_OK) == 0 { return "\(folder)/\(name)" }
        throw MissingTool(name: name)
    }

    /// The path of a loadable module of nginx.
    package static func nginxModule(_ name: String) throws -> String {
        for folder in [repository + "/.test-servers/root/usr/lib/nginx/modules", "/usr/lib/nginx/modules"]
        where access("\(folder)/\(name).so", R_OK) == 0 { return "\(folder)/\(name).so" }
        throw MissingTool(name: name)
    }

    /// The program under test: `WEIR_BINARY`, or the one that was built together with these tests.
    package static func weir() throws -> String {
        if let given = ProcessInfo.processInfo.environment["WEIR_BINARY"], !given.isEmpty { return given }
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let beside = URL(fileURLWithPath: tests).deletingLastPathComponent().path
        for candidate in [beside + "/weir", repository + "/.build/debug/weir"]
        where access(candidate, X_OK) == 0 { return candidate }
        throw MissingTool(name: "weir")
    }

    private static var folders: [String] {
        let search = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        return [repository + "/.test-servers/bin"] + search
            + ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"]
    }
}
