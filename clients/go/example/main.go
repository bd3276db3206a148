// Command example has the code of docs/go.md, which a test runs.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"skewless"
)

func main() {
	store, err := skewless.Open(skewless.Options{
		URL:       os.Getenv("SKEWLESS_REDIS_URL"), // such as redis://localhost:6379
		Namespace: os.Getenv("SKEWLESS_NAMESPACE"),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	ctx := context.Background()
	for _, show := range []func(context.Context, *skewless.Store) error{one, many, columns, service, refused} {
		if err := show(ctx, store); err != nil {
			log.Fatal(err)
		}
	}
}

func one(ctx context.Context, store *skewless.Store) error {
	userID := 7
	features, err := store.GetOnlineFeatures(ctx, userID, "transaction_stats:avg_transactions_1h")
	if err != nil {
		return err
	}
	fmt.Println(features[0].(float32)) // 2.5
	return nil
}

func many(ctx context.Context, store *skewless.Store) error {
	users := skewless.Entities(7, 8, 9)
	answer, err := store.Lookup(ctx, users, "transaction_stats:avg_transactions_1h", "transaction_stats:amounts")
	if err != nil {
		return err
	}
	for _, row := range answer.Rows() {
		fmt.Println(row["transaction_stats__avg_transactions_1h"]) // 2.5, then <nil>, then 0 for a user without a row
	}
	stats := answer.Views["transaction_stats"]
	fmt.Println(stats.State, stats.Age > time.Minute) // live true
	return nil
}

func columns(ctx context.Context, store *skewless.Store) error {
	answer, err := store.Lookup(ctx, skewless.Entities(7, 8), "transaction_stats:avg_transactions_1h", "transaction_stats:amounts")
	if err != nil {
		return err
	}
	averages, err := skewless.Column[float32](answer, "transaction_stats__avg_transactions_1h")
	if err != nil {
		return err
	}
	fmt.Println(averages.Values, averages.IsNull(1)) // [2.5 0] true

	amounts, err := skewless.Column[skewless.Vector[float32]](answer, "transaction_stats__amounts")
	if err != nil {
		return err
	}
	fmt.Println(amounts.Values[0].Values) // [1 1.5]
	return nil
}

func service(ctx context.Context, store *skewless.Store) error {
	features, err := store.GetOnlineFeatures(ctx, skewless.Entity{"user_id": 7}, "fraud_v1")
	if err != nil {
		return err
	}
	fmt.Println(features) // [2.5]
	return nil
}

func refused(ctx context.Context, store *skewless.Store) error {
	_, err := store.GetOnlineFeatures(ctx, "7", "transaction_stats:avg_transactions_1h")
	switch {
	case errors.Is(err, skewless.ErrUsage):
		fmt.Println("mend the call:", err) // user_id is an integer, and "7" is not
	case errors.Is(err, skewless.ErrNotPublished), errors.Is(err, skewless.ErrUnreadable):
		return fmt.Errorf("ask who publishes: %w", err)
	case errors.Is(err, skewless.ErrUnavailable):
		return fmt.Errorf("use defaults, and look at the server: %w", err)
	}
	return nil
}
