"""What the template must never say, and that its scripts are scripts."""

import re
import shutil
import subprocess

import pytest
import yaml

from conftest import REPOSITORY

TEMPLATE = REPOSITORY / "deploy/aws/tickertape.yaml"


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, each as its long one."""


def short_form(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name: value}


Loader.add_multi_constructor("!", short_form)
template = yaml.load(TEMPLATE.read_text(), Loader)
resources = template["Resources"]


def of_type(kind):
    return {name: one["Properties"] for name, one in resources.items() if one["Type"] == kind}


def statements(role):
    return [
        statement
        for policy in resources[role]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def listed(value):
    return value if isinstance(value, list) else [value]


def test_nobody_but_the_given_range_comes_in():
    for group in of_type("AWS::EC2::SecurityGroup").values():
        assert group["SecurityGroupIngress"] == [
            {"IpProtocol": "tcp", "FromPort": 9092, "ToPort": 9092, "CidrIp": {"Ref": "ClientCidr"}, "Description": "Kafka"}
        ]
    assert not of_type("AWS::EC2::SecurityGroupIngress")
    pattern = re.compile(template["Parameters"]["ClientCidr"]["AllowedPattern"])
    assert pattern.match("203.0.113.7/32") and pattern.match("10.0.0.0/8")
    assert not any(pattern.match(everyone) for everyone in ("0.0.0.0/0", "0.0.0.0/1", "::/0", "10.0.0.0/7", ""))


def test_no_policy_allows_what_it_does_not_name():
    roles = of_type("AWS::IAM::Role")
    assert roles
    # What has no resources to name, by the service authorization reference.
    without_resources = ("ssm:UpdateInstanceInformation", "ssmmessages:", "glue:ListCrawl", "glue:GetCrawlerMetrics")
    for role in roles:
        assert "ManagedPolicyArns" not in roles[role]
        for statement in statements(role):
            actions = listed(statement["Action"])
            assert not any("*" in action for action in actions), role
            if listed(statement["Resource"]) == ["*"]:
                assert all(action.startswith(without_resources) for action in actions), (role, actions)


def test_a_claim_expires_never_or_late():
    pattern = re.compile(template["Parameters"]["LedgerDays"]["AllowedPattern"])
    assert template["Parameters"]["LedgerDays"]["Default"] == "0"
    for days in range(1, 90):
        assert not pattern.match(str(days))
    assert all(pattern.match(days) for days in ("0", "90", "99", "100", "3650"))
    for bucket in of_type("AWS::S3::Bucket").values():
        for rule in bucket["LifecycleConfiguration"]["Rules"]:
            if "Fn::If" in rule:
                condition, rule, otherwise = rule["Fn::If"]
                assert condition == "LedgerExpires" and otherwise == {"Ref": "AWS::NoValue"}
                assert rule["Prefix"] == {"Fn::Sub": "${LakePrefix}/_ledger/"}
            elif "ExpirationInDays" in rule:
                assert rule["Prefix"] in ({"Fn::Sub": "${LakePrefix}/_rejected/"}, "athena-results/")


def test_data_is_encrypted_and_the_metadata_service_asks_for_a_token():
    for volume in of_type("AWS::EC2::Volume").values():
        assert volume["Encrypted"] is True and volume["VolumeType"] == "gp3"
    for launch in of_type("AWS::EC2::LaunchTemplate").values():
        data = launch["LaunchTemplateData"]
        assert data["MetadataOptions"]["HttpTokens"] == "required"
        assert all(device["Ebs"]["Encrypted"] for device in data["BlockDeviceMappings"])
        assert "KeyName" not in data
    for bucket in of_type("AWS::S3::Bucket").values():
        assert all(bucket["PublicAccessBlockConfiguration"].values())
        assert bucket["BucketEncryption"]


def test_the_crawler_passes_over_what_is_not_a_table():
    (crawler,) = of_type("AWS::Glue::Crawler").values()
    (target,) = crawler["Targets"]["S3Targets"]
    assert set(target["Exclusions"]) == {"_ledger/**", "_rejected/**"}
    # It changes no table that the sink keeps.
    assert crawler["DatabaseName"] == {"Ref": "CrawledCatalog"}


def scripts():
    machine = resources["Machine"]
    user_data = machine["Properties"]["UserData"]["Fn::Base64"]["Fn::Sub"]
    yield "user data", re.sub(r"\$\{AWS::\w+\}", "value", user_data)
    for path, file in machine["Metadata"]["AWS::CloudFormation::Init"]["config"]["files"].items():
        if path.endswith(".sh"):
            yield path, file["content"]


@pytest.mark.parametrize("name, text", [pytest.param(*script, id=script[0]) for script in scripts()])
def test_scripts(name, text):
    assert text.startswith("#!")
    checks = [["bash", "-n"]]
    if shutil.which("shellcheck"):
        checks.append(["shellcheck", "-"])
    for check in checks:
        done = subprocess.run(check, input=text, text=True, capture_output=True, check=False)
        assert done.returncode == 0, (name, done.stdout, done.stderr)
