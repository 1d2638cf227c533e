package clients

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/IBM/sarama"
)

// Which versions of the requests Sarama sends follows from the version of Kafka that it is told: its default, and this one.
var saramaVersions = []sarama.KafkaVersion{sarama.DefaultVersion, sarama.V4_1_0_0}

func saramaConfig(version sarama.KafkaVersion) *sarama.Config {
	config := sarama.NewConfig()
	config.Version = version
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Return.Errors = true
	return config
}

func forSaramaVersions(t *testing.T, test func(t *testing.T, config *sarama.Config)) {
	for _, version := range saramaVersions {
		t.Run(version.String(), func(t *testing.T) {
			t.Parallel()
			test(t, saramaConfig(version))
		})
	}
}

func saramaAdmin(t *testing.T, config *sarama.Config) sarama.ClusterAdmin {
	t.Helper()
	admin := must(sarama.NewClusterAdmin([]string{bootstrap(t)}, config))(t)
	t.Cleanup(func() { check(t, admin.Close()) })
	return admin
}

func saramaProducer(t *testing.T, config *sarama.Config) sarama.SyncProducer {
	t.Helper()
	producer := must(sarama.NewSyncProducer([]string{bootstrap(t)}, config))(t)
	t.Cleanup(func() { check(t, producer.Close()) })
	return producer
}

func saramaMessages(topic, prefix string, count int) []*sarama.ProducerMessage {
	messages := make([]*sarama.ProducerMessage, count)
	for n := range messages {
		messages[n] = &sarama.ProducerMessage{
			Topic:   topic,
			Key:     sarama.StringEncoder(fmt.Sprintf("k%d", n%7)),
			Value:   sarama.StringEncoder(fmt.Sprintf("%s %d", prefix, n)),
			Headers: []sarama.RecordHeader{{Key: []byte("n"), Value: []byte(fmt.Sprint(n))}},
		}
	}
	return messages
}

// A member that reads until it has `wanted` messages, marks them, and leaves.
type saramaMember struct {
	wanted  int
	found   chan *sarama.ConsumerMessage
	enough  context.CancelFunc
	started chan struct{}
}

func (member *saramaMember) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (member *saramaMember) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (member *saramaMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, more := <-claim.Messages():
			if !more {
				return nil
			}
			session.MarkMessage(message, "seen")
			member.found <- message
			if len(member.found) == member.wanted {
				session.Commit()
				member.enough()
			}
		case <-session.Context().Done():
			return nil
		}
	}
}

// Values that a group reads from the topic, which has `wanted` of them for it.
func saramaGroupReads(t *testing.T, config *sarama.Config, group, topic string, wanted int) map[string]bool {
	t.Helper()
	members := must(sarama.NewConsumerGroup([]string{bootstrap(t)}, group, config))(t)
	defer func() { check(t, members.Close()) }()
	context, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	member := &saramaMember{wanted: wanted, found: make(chan *sarama.ConsumerMessage, wanted+1), enough: cancel}
	for context.Err() == nil {
		check(t, members.Consume(context, []string{topic}, member))
	}
	values := map[string]bool{}
	for len(member.found) > 0 {
		message := <-member.found
		values[string(message.Value)] = true
	}
	if len(values) != wanted {
		t.Fatalf("%d different messages instead of %d", len(values), wanted)
	}
	return values
}

func TestSaramaGroupReadsEachCodec(t *testing.T) {
	codecs := []sarama.CompressionCodec{
		sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD,
	}
	forSaramaVersions(t, func(t *testing.T, config *sarama.Config) {
		topic, group := unique(t), unique(t)
		admin := saramaAdmin(t, config)
		check(t, admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 1}, false))
		for _, codec := range codecs {
			compressed := *config
			compressed.Producer.Compression = codec
			check(t, saramaProducer(t, &compressed).SendMessages(saramaMessages(topic, codec.String(), 200)))
		}
		values := saramaGroupReads(t, config, group, topic, 200*len(codecs))
		for _, codec := range codecs {
			if !values[codec.String()+" 199"] {
				t.Errorf("nothing of %s", codec)
			}
		}
		// What was marked was committed: a second member of the group finds the new only.
		check(t, saramaProducer(t, config).SendMessages(saramaMessages(topic, "later", 5)))
		if values := saramaGroupReads(t, config, group, topic, 5); !values["later 4"] {
			t.Errorf("other messages than the new: %v", values)
		}
		offsets := must(admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0, 1, 2}}))(t)
		committed := int64(0)
		for partition := range int32(3) {
			committed += max(0, offsets.GetBlock(topic, partition).Offset)
		}
		if committed != int64(200*len(codecs)+5) {
			t.Errorf("committed: %d", committed)
		}
	})
}

func TestSaramaTransactions(t *testing.T) {
	forSaramaVersions(t, func(t *testing.T, config *sarama.Config) {
		source, target, group := unique(t)+"-source", unique(t)+"-target", unique(t)
		check(t, saramaProducer(t, config).SendMessages(saramaMessages(source, "in", 10)))
		config.Producer.Transaction.ID = unique(t)
		producer := saramaProducer(t, config)
		offsets := map[string][]*sarama.PartitionOffsetMetadata{source: {{Partition: 0, Offset: 10}}}

		check(t, producer.BeginTxn())
		check(t, producer.SendMessages(saramaMessages(target, "aborted", 10)))
		check(t, producer.AddOffsetsToTxn(offsets, group))
		check(t, producer.AbortTxn())

		plain := *config
		plain.Producer.Transaction.ID = ""
		plain.Consumer.IsolationLevel = sarama.ReadCommitted
		admin := saramaAdmin(t, &plain)
		committed := func() int64 {
			found := must(admin.ListConsumerGroupOffsets(group, map[string][]int32{source: {0}}))(t)
			return found.GetBlock(source, 0).Offset
		}
		if offset := committed(); offset != -1 {
			t.Errorf("an aborted transaction has committed offset %d", offset)
		}
		for n := range 3 {
			check(t, producer.BeginTxn())
			check(t, producer.SendMessages(saramaMessages(target, fmt.Sprintf("committed %d", n), 10)))
			check(t, producer.AddOffsetsToTxn(offsets, group))
			check(t, producer.CommitTxn())
		}
		if offset := committed(); offset != 10 {
			t.Errorf("committed offset: %d", offset)
		}
		for value := range saramaGroupReads(t, &plain, unique(t), target, 30) {
			if value[:9] != "committed" {
				t.Errorf("read, though it is not committed: %s", value)
			}
		}

		// Another producer of the same transactional id fences this one.
		next := saramaProducer(t, config)
		check(t, next.BeginTxn())
		check(t, producer.BeginTxn())
		if err := producer.SendMessages(saramaMessages(target, "fenced", 1)); err == nil {
			t.Error("a fenced producer goes on")
		}
		check(t, next.AbortTxn())
	})
}

func TestSaramaAdmin(t *testing.T) {
	forSaramaVersions(t, func(t *testing.T, config *sarama.Config) {
		topic, group := unique(t), unique(t)
		admin := saramaAdmin(t, config)
		retention := "60000"
		detail := &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &retention}}
		check(t, admin.CreateTopic(topic, detail, false))
		if err := admin.CreateTopic(topic, detail, false); !errors.Is(err, sarama.ErrTopicAlreadyExists) {
			t.Errorf("made twice: %v", err)
		}
		check(t, admin.CreatePartitions(topic, 4, nil, false))
		eventually(t, "four partitions", func() bool {
			described := must(admin.DescribeTopics([]string{topic}))(t)
			return len(described) == 1 && len(described[0].Partitions) == 4
		})

		longer := "120000"
		change := map[string]sarama.IncrementalAlterConfigsEntry{"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &longer}}
		check(t, admin.IncrementalAlterConfig(sarama.TopicResource, topic, change, false))
		resource := sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"retention.ms"}}
		eventually(t, "a changed config", func() bool {
			configs := must(admin.DescribeConfig(resource))(t)
			return len(configs) == 1 && configs[0].Value == longer
		})
		if brokers, _, err := admin.DescribeCluster(); err != nil || len(brokers) != 1 {
			t.Errorf("cluster: %v %v", brokers, err)
		}

		check(t, saramaProducer(t, config).SendMessages(saramaMessages(topic, "value", 20)))
		check(t, admin.DeleteRecords(topic, map[int32]int64{0: -1, 1: -1, 2: -1, 3: -1}))
		check(t, saramaProducer(t, config).SendMessages(saramaMessages(topic, "left", 20)))
		saramaGroupReads(t, config, group, topic, 20)
		listed := must(admin.ListConsumerGroups())(t)
		if listed[group] != "consumer" {
			t.Errorf("groups: %v", listed)
		}
		groups := must(admin.DescribeConsumerGroups([]string{group}))(t)
		if len(groups) != 1 || groups[0].State != "Empty" {
			t.Errorf("group: %+v", groups)
		}
		check(t, admin.DeleteConsumerGroup(group))
		check(t, admin.DeleteTopic(topic))
		eventually(t, "a deleted topic is gone", func() bool {
			_, there := must(admin.ListTopics())(t)[topic]
			return !there
		})
	})
}

func TestSaramaQuotasAndCredentials(t *testing.T) {
	forSaramaVersions(t, func(t *testing.T, config *sarama.Config) {
		name := unique(t)
		admin := saramaAdmin(t, config)
		entity := []sarama.QuotaEntityComponent{{EntityType: sarama.QuotaEntityUser, MatchType: sarama.QuotaMatchExact, Name: name}}
		check(t, admin.AlterClientQuotas(entity, sarama.ClientQuotasOp{Key: "consumer_byte_rate", Value: 500000}, false))
		filter := []sarama.QuotaFilterComponent{{EntityType: sarama.QuotaEntityUser, MatchType: sarama.QuotaMatchExact, Match: name}}
		eventually(t, "a quota", func() bool {
			entries := must(admin.DescribeClientQuotas(filter, true))(t)
			return len(entries) == 1 && entries[0].Values["consumer_byte_rate"] == 500000
		})
		check(t, admin.AlterClientQuotas(entity, sarama.ClientQuotasOp{Key: "consumer_byte_rate", Remove: true}, false))

		upsert := sarama.AlterUserScramCredentialsUpsert{
			Name: name, Mechanism: sarama.SCRAM_MECHANISM_SHA_256, Iterations: 8192, Salt: []byte("salt"), Password: []byte("password"),
		}
		if set := must(admin.UpsertUserScramCredentials([]sarama.AlterUserScramCredentialsUpsert{upsert}))(t); set[0].ErrorCode != sarama.ErrNoError {
			t.Fatalf("credentials: %+v", set[0])
		}
		eventually(t, "credentials", func() bool {
			described := must(admin.DescribeUserScramCredentials([]string{name}))(t)
			infos := described[0].CredentialInfos
			return len(infos) == 1 && infos[0].Iterations == 8192
		})
		remove := sarama.AlterUserScramCredentialsDelete{Name: name, Mechanism: sarama.SCRAM_MECHANISM_SHA_256}
		if removed := must(admin.DeleteUserScramCredentials([]sarama.AlterUserScramCredentialsDelete{remove}))(t); removed[0].ErrorCode != sarama.ErrNoError {
			t.Errorf("credentials are not removed: %+v", removed[0])
		}
	})
}
