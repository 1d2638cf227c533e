// Prints what Apache Kafka's own definitions say of each property, one JSON array a line:
// resource, name, type, default, validator's class, validator's text, update mode, internal, sensitive, documentation.
// Run from its source by `cargo xtask configs`, with Apache Kafka's jars as the class path.

import java.util.Map;
import java.util.TreeMap;

import org.apache.kafka.common.config.ConfigDef;

public class Configs {
    public static void main(String[] arguments) {
        Map<String, String> modes = kafka.server.DynamicBrokerConfig$.MODULE$.dynamicConfigUpdateModes();
        print("BROKER", kafka.server.KafkaConfig.configDef(), modes);
        print("TOPIC", org.apache.kafka.storage.internals.log.LogConfig.configDefCopy(), null);
        print("GROUP", org.apache.kafka.coordinator.group.GroupConfig.configDef(), null);
        print("CLIENT_METRICS", org.apache.kafka.server.metrics.ClientMetricsConfigs.configDef(), null);
    }

    private static void print(String resource, ConfigDef definitions, Map<String, String> modes) {
        for (ConfigDef.ConfigKey key : new TreeMap<>(definitions.configKeys()).values()) {
            String value = key.hasDefault() && key.defaultValue != null
                ? ConfigDef.convertToString(key.defaultValue, key.type)
                : null;
            String validator = key.validator == null ? "" : key.validator.getClass().getSimpleName();
            String valid = key.validator == null ? "" : key.validator.toString();
            String mode = modes == null ? "cluster-wide" : modes.getOrDefault(key.name, "read-only");
            String[] fields = {
                text(resource), text(key.name), text(key.type.name()), text(value), text(validator), text(valid),
                text(mode), String.valueOf(key.internalConfig), text(key.documentation),
            };
            System.out.println("[" + String.join(",", fields) + "]");
        }
    }

    private static String text(String value) {
        if (value == null) {
            return "null";
        }
        StringBuilder out = new StringBuilder("\"");
        for (char c : value.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < 0x20 || c > 0x7e) {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }
}
