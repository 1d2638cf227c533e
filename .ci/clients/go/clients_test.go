// Package clients is what Go's clients ask of the broker that BOOTSTRAP_SERVERS names.
package clients

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// How long anything may take that ends by itself.
const patience = 60 * time.Second

func bootstrap(t *testing.T) string {
	t.Helper()
	servers := os.Getenv("BOOTSTRAP_SERVERS")
	if servers == "" {
		t.Fatal("BOOTSTRAP_SERVERS names no broker")
	}
	return servers
}

// A name of a topic, a group or a transaction that nothing else uses.
func unique(t *testing.T) string {
	name := strings.NewReplacer("/", "-", " ", "-", ".", "-").Replace(t.Name())
	return fmt.Sprintf("%s-%x", name, time.Now().UnixNano())
}

func must[T any](value T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Waits for what a broker answers and does a moment later: Apache Kafka's controller answers before its brokers know.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}
