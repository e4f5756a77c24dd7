// A client and a server of Go's crypto/tls for test_tls_peers.py. Both send and expect an echo of `bytes` bytes, and
// half-close.
package main

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func settings(version, authority, certificate, key string) *tls.Config {
	pem, err := os.ReadFile(authority)
	check(err)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		log.Fatal("no authority")
	}
	number := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[version]
	made := &tls.Config{MinVersion: number, MaxVersion: number, RootCAs: pool, ClientCAs: pool}
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		check(err)
		made.Certificates = []tls.Certificate{pair}
	}
	return made
}

// echo sends bytes and reads them back, while it still sends, and then ends its direction and waits for the other.
func echo(connection *tls.Conn, count int) {
	sent := make([]byte, count)
	_, err := rand.Read(sent)
	check(err)
	go func() {
		_, err := connection.Write(sent)
		check(err)
		check(connection.CloseWrite())
	}()
	received, err := io.ReadAll(connection)
	check(err)
	if !bytes.Equal(sent, received) {
		log.Fatalf("%d bytes came back of %d", len(received), count)
	}
}

func dial(config *tls.Config, address string, rounds, count int) {
	config.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	for round := 0; round < rounds; round++ {
		connection, err := tls.Dial("tcp", address, config)
		check(err)
		echo(connection, count)
		state := connection.ConnectionState()
		fmt.Printf("%x %t %s\n", state.Version, state.DidResume, state.NegotiatedProtocol)
		check(connection.Close())
	}
}

func serve(config *tls.Config, address string) {
	listener, err := net.Listen("tcp", address)
	check(err)
	for {
		plain, err := listener.Accept()
		check(err)
		go func() {
			connection := tls.Server(plain, config)
			defer connection.Close()
			if _, err := io.Copy(connection, connection); err == nil {
				_ = connection.CloseWrite()
			}
		}()
	}
}

func main() {
	mode := flag.String("mode", "client", "client or server")
	version := flag.String("version", "1.3", "of TLS")
	address := flag.String("address", "", "host and port")
	name := flag.String("name", "", "the server's name")
	authority := flag.String("authority", "", "its certificate")
	certificate := flag.String("certificate", "", "the own certificate")
	key := flag.String("key", "", "its key")
	protocol := flag.String("protocol", "", "to offer (ALPN)")
	rounds := flag.Int("rounds", 1, "connections")
	count := flag.Int("bytes", 1, "of each connection")
	verifies := flag.Bool("verify", false, "clients")
	flag.Parse()
	config := settings(*version, *authority, *certificate, *key)
	config.ServerName = *name
	if *protocol != "" {
		config.NextProtos = []string{*protocol}
	}
	if *verifies {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if *mode == "server" {
		serve(config, *address)
	} else {
		dial(config, *address, *rounds, *count)
	}
}
