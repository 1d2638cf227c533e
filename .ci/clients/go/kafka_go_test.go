package clients

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

func kafkaGoClient(t *testing.T) *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(bootstrap(t)), Timeout: patience}
}

// Waits until the topic has `want` partitions; 0: until there is none. A client answers from what it knows until that is
// too old.
func kafkaGoPartitions(t *testing.T, topic string, want int) {
	t.Helper()
	client := kafkaGoClient(t)
	client.Transport = &kafka.Transport{MetadataTTL: 100 * time.Millisecond}
	eventually(t, fmt.Sprintf("%d partitions", want), func() bool {
		metadata := must(client.Metadata(t.Context(), &kafka.MetadataRequest{}))(t)
		found := 0
		for _, entry := range metadata.Topics {
			if entry.Name == topic {
				found = len(entry.Partitions)
			}
		}
		return found == want
	})
}

func kafkaGoCreate(t *testing.T, client *kafka.Client, topic string, partitions int) error {
	t.Helper()
	config := kafka.TopicConfig{
		Topic: topic, NumPartitions: partitions, ReplicationFactor: 1,
		ConfigEntries: []kafka.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: "60000"}},
	}
	created := must(client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{config}}))(t)
	return created.Errors[topic]
}

func kafkaGoWrite(t *testing.T, topic, prefix string, codec kafka.Compression, count int) {
	t.Helper()
	writer := &kafka.Writer{
		Addr: kafka.TCP(bootstrap(t)), Topic: topic, RequiredAcks: kafka.RequireAll, Compression: codec,
		Balancer: &kafka.Hash{}, BatchTimeout: 10 * time.Millisecond, AllowAutoTopicCreation: true,
	}
	messages := make([]kafka.Message, count)
	for n := range messages {
		messages[n] = kafka.Message{
			Key: fmt.Appendf(nil, "k%d", n%7), Value: fmt.Appendf(nil, "%s %d", prefix, n),
			Headers: []kafka.Header{{Key: "n", Value: fmt.Append(nil, n)}},
		}
	}
	check(t, writer.WriteMessages(t.Context(), messages...))
	check(t, writer.Close())
}

// Values that a group reads from the topic, which has `wanted` of them for it; each is committed.
func kafkaGoGroupReads(t *testing.T, group, topic string, wanted int) map[string]bool {
	t.Helper()
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{bootstrap(t)}, GroupID: group, Topic: topic, StartOffset: kafka.FirstOffset, IsolationLevel: kafka.ReadCommitted,
		MaxWait: 500 * time.Millisecond,
	})
	context, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	values := map[string]bool{}
	var last []kafka.Message
	for range wanted {
		message := must(reader.FetchMessage(context))(t)
		values[string(message.Value)] = true
		last = append(last, message)
	}
	check(t, reader.CommitMessages(context, last...))
	check(t, reader.Close())
	if len(values) != wanted {
		t.Fatalf("%d different messages instead of %d", len(values), wanted)
	}
	return values
}

func TestKafkaGoGroupReadsEachCodec(t *testing.T) {
	t.Parallel()
	topic, group := unique(t), unique(t)
	client := kafkaGoClient(t)
	check(t, kafkaGoCreate(t, client, topic, 3))
	codecs := map[string]kafka.Compression{"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd}
	for name, codec := range codecs {
		kafkaGoWrite(t, topic, name, codec, 200)
	}
	values := kafkaGoGroupReads(t, group, topic, 200*len(codecs))
	for name := range codecs {
		if !values[name+" 199"] {
			t.Errorf("nothing of %s", name)
		}
	}
	kafkaGoWrite(t, topic, "later", kafka.Snappy, 5)
	if values := kafkaGoGroupReads(t, group, topic, 5); !values["later 4"] {
		t.Errorf("other messages than the new: %v", values)
	}
	offsets := must(client.ConsumerOffsets(t.Context(), kafka.TopicAndGroup{Topic: topic, GroupId: group}))(t)
	if committed := offsets[0] + offsets[1] + offsets[2]; committed != int64(200*len(codecs)+5) {
		t.Errorf("committed: %v", offsets)
	}
}

// A writer has no transactions; the client can end one around a group's offsets.
func TestKafkaGoTransactionalOffsets(t *testing.T) {
	t.Parallel()
	topic, group, id := unique(t), unique(t), unique(t)
	client := kafkaGoClient(t)
	check(t, kafkaGoCreate(t, client, topic, 1))
	request := kafka.InitProducerIDRequest{TransactionalID: id, TransactionTimeoutMs: 60_000, ProducerID: -1, ProducerEpoch: -1}
	// The broker may have decided, and still be writing the end of the transaction before: what this returns is after that.
	begin := func() (session *kafka.ProducerSession) {
		eventually(t, "the end of a transaction", func() bool {
			producer := must(client.InitProducerID(t.Context(), &request))(t)
			if errors.Is(producer.Error, kafka.ConcurrentTransactions) {
				return false
			}
			check(t, producer.Error)
			session = producer.Producer
			return true
		})
		return session
	}
	for _, committed := range []bool{false, true} {
		session := begin()
		added := must(client.AddOffsetsToTxn(t.Context(), &kafka.AddOffsetsToTxnRequest{
			TransactionalID: id, ProducerID: session.ProducerID, ProducerEpoch: session.ProducerEpoch, GroupID: group,
		}))(t)
		check(t, added.Error)
		offsets := must(client.TxnOffsetCommit(t.Context(), &kafka.TxnOffsetCommitRequest{
			TransactionalID: id, GroupID: group, ProducerID: session.ProducerID, ProducerEpoch: session.ProducerEpoch, GenerationID: -1,
			Topics: map[string][]kafka.TxnOffsetCommit{topic: {{Partition: 0, Offset: 7}}},
		}))(t)
		check(t, offsets.Topics[topic][0].Error)
		ended := must(client.EndTxn(t.Context(), &kafka.EndTxnRequest{
			TransactionalID: id, ProducerID: session.ProducerID, ProducerEpoch: session.ProducerEpoch, Committed: committed,
		}))(t)
		check(t, ended.Error)
		begin()
		found := must(client.OffsetFetch(t.Context(), &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: {0}}}))(t)
		want := map[bool]int64{false: -1, true: 7}[committed]
		if offset := found.Topics[topic][0].CommittedOffset; offset != want {
			t.Errorf("committed offset after a transaction that ended with %t: %d", committed, offset)
		}
	}
}

func TestKafkaGoAdmin(t *testing.T) {
	t.Parallel()
	topic, group := unique(t), unique(t)
	client := kafkaGoClient(t)
	check(t, kafkaGoCreate(t, client, topic, 2))
	if err := kafkaGoCreate(t, client, topic, 2); !errors.Is(err, kafka.TopicAlreadyExists) {
		t.Errorf("made twice: %v", err)
	}
	partitions := must(client.CreatePartitions(t.Context(), &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: 4}},
	}))(t)
	check(t, partitions.Errors[topic])
	kafkaGoPartitions(t, topic, 4)
	resource := kafka.DescribeConfigRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{"retention.ms"}}
	configs := must(client.DescribeConfigs(t.Context(), &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{resource}}))(t)
	if entries := configs.Resources[0].ConfigEntries; len(entries) != 1 || entries[0].ConfigValue != "60000" {
		t.Errorf("configs: %+v", entries)
	}

	kafkaGoWrite(t, topic, "value", kafka.Gzip, 20)
	kafkaGoGroupReads(t, group, topic, 20)
	listed := must(client.ListGroups(t.Context(), &kafka.ListGroupsRequest{}))(t)
	found := false
	for _, entry := range listed.Groups {
		found = found || entry.GroupID == group
	}
	if !found {
		t.Errorf("groups: %+v", listed.Groups)
	}
	described := must(client.DescribeGroups(t.Context(), &kafka.DescribeGroupsRequest{GroupIDs: []string{group}}))(t)
	if len(described.Groups) != 1 || described.Groups[0].GroupState != "Empty" {
		t.Errorf("group: %+v", described.Groups)
	}
	deleted := must(client.DeleteGroups(t.Context(), &kafka.DeleteGroupsRequest{GroupIDs: []string{group}}))(t)
	check(t, deleted.Errors[group])
	topics := must(client.DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{topic}}))(t)
	check(t, topics.Errors[topic])
	kafkaGoPartitions(t, topic, 0)
}

func TestKafkaGoQuotasAndCredentials(t *testing.T) {
	client, name := kafkaGoClient(t), unique(t)
	entity := kafka.AlterClientQuotaEntity{EntityType: "client-id", EntityName: name}
	alter := func(op kafka.AlterClientQuotaOps) error {
		entry := kafka.AlterClientQuotaEntry{Entities: []kafka.AlterClientQuotaEntity{entity}, Ops: []kafka.AlterClientQuotaOps{op}}
		request := &kafka.AlterClientQuotasRequest{Entries: []kafka.AlterClientQuotaEntry{entry}}
		return must(client.AlterClientQuotas(t.Context(), request))(t).Entries[0].Error
	}
	has := func(want int) {
		t.Helper()
		component := kafka.DescribeClientQuotasRequestComponent{EntityType: "client-id", MatchType: 0, Match: name}
		request := &kafka.DescribeClientQuotasRequest{Components: []kafka.DescribeClientQuotasRequestComponent{component}}
		eventually(t, fmt.Sprintf("%d entries", want), func() bool {
			described := must(client.DescribeClientQuotas(t.Context(), request))(t)
			check(t, described.Error)
			return len(described.Entries) == want && (want == 0 || described.Entries[0].Values[0].Value == 500000)
		})
	}
	check(t, alter(kafka.AlterClientQuotaOps{Key: "producer_byte_rate", Value: 500000}))
	has(1)
	if err := alter(kafka.AlterClientQuotaOps{Key: "producer_byte_rate", Value: -1}); !errors.Is(err, kafka.InvalidRequest) {
		t.Errorf("less than nothing: %v", err)
	}
	check(t, alter(kafka.AlterClientQuotaOps{Key: "producer_byte_rate", Remove: true}))
	has(0)

	upsertion := kafka.UserScramCredentialsUpsertion{
		Name: name, Mechanism: kafka.ScramMechanismSha512, Iterations: 15000, Salt: []byte("salt"), SaltedPassword: []byte("salted"),
	}
	credentials := func(request *kafka.AlterUserScramCredentialsRequest) error {
		return must(client.AlterUserScramCredentials(t.Context(), request))(t).Results[0].Error
	}
	check(t, credentials(&kafka.AlterUserScramCredentialsRequest{Upsertions: []kafka.UserScramCredentialsUpsertion{upsertion}}))
	users := []kafka.UserScramCredentialsUser{{Name: name}}
	eventually(t, "credentials", func() bool {
		described := must(client.DescribeUserScramCredentials(t.Context(), &kafka.DescribeUserScramCredentialsRequest{Users: users}))(t)
		infos := described.Results[0].CredentialInfos
		return len(infos) == 1 && infos[0].Iterations == 15000
	})
	deletion := kafka.UserScramCredentialsDeletion{Name: name, Mechanism: kafka.ScramMechanismSha512}
	check(t, credentials(&kafka.AlterUserScramCredentialsRequest{Deletions: []kafka.UserScramCredentialsDeletion{deletion}}))
}
