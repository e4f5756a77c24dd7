import ArgumentParser
import Glibc
import WeirProxy

/// Where the configuration is, for every command that reads it.
struct ConfigurationOption: ParsableArguments {
    private static let defaultPath = "/etc/weir/weir.yml"

    @Option(
        name: [.customShort("c"), .long],
        help: ArgumentHelp(
            "The configuration file (default: $WEIR_CONFIG, or \(Self.defaultPath)).", valueName: "file"))
    var config: String?

    /// The file: as given, or from the environment, or the usual place.
    var path: String {
        if let config { return config }
        if let given = Environment.all["WEIR_CONFIG"], !given.isEmpty { return given }
        return Self.defaultPath
    }

    /// The file itself.
    var file: ConfigurationFile { ConfigurationFile(path: path, environment: Environment.all) }

    /// Reads the file. Prints every finding to standard error; ends with 1 where there is an error.
    func load(tellsWarnings: Bool = true) throws -> ConfigurationFile.Loaded {
        do throws(ConfigurationFile.Refusal) {
            let loaded = try file.load()
            if tellsWarnings { for warning in loaded.warnings { Console.error(warning) } }
            return loaded
        } catch {
            for finding in error.findings { Console.error(finding) }
            throw ExitCode(1)
        }
    }
}

/// The environment variables of the process, as they were at its start.
enum Environment {
    static let all: [String: String] = {
        var variables: [String: String] = [:]
        var entry = unsafe environ
        while let text = unsafe entry.pointee {
            let line = unsafe String(cString: text)
            let pair = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if pair.count == 2 { variables[String(pair[0])] = String(pair[1]) }
            unsafe entry += 1
        }
        return variables
    }()
}
