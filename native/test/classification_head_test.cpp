// The heads of classifiers against transformers' (test/parity/make_classification_heads.py), their gradients and their
// dropout.
#include "models/classification_head.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>

#include "models/architecture.h"
#include "support.h"

namespace st::test {

namespace {

using Values = std::vector<std::vector<double>>;

Config module_of(double labels) {
  return Config::Object{{"type", text("SequenceClassification")}, {"numLabels", labels}};
}

// A head of its own, in float64.
struct Fixture {
  Fixture(const ClassifierSpec& spec, int64_t width, double labels) {
    head = make_classification_head(spec, module_of(labels), "0.", width, parameters.layout);
    parameters.allocate(at::kCPU, at::kDouble);
  }

  at::Tensor forward(const at::Tensor& tokens_TD, const std::vector<at::Tensor>& values, const PackedBatch& batch,
                     bool training = false, uint64_t seed = 1) {
    const Input input(batch, at::kCPU);
    const Pass pass{.input = input,
                    .parameters = parameters,
                    .workspace = workspace,
                    .training = training,
                    .dropout = DropoutKey(seed, 0, 0)};
    HeadState state{pass, tokens_TD, {}, {}, values};
    head->forward(state);
    return state.sentence_RD;
  }

  Parameters parameters;
  Workspace workspace{at::kCPU};
  std::unique_ptr<Head> head;
};

at::Tensor sines(at::IntArrayRef shape, double factor, double start) {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return at::sin(at::arange(count, at::kDouble) * factor + start).view(shape);
}

// As the script makes them.
std::vector<at::Tensor> golden_values(const Fixture& fixture) {
  std::vector<at::Tensor> out;
  for (const TensorInfo& info : fixture.parameters.layout.tensors()) {
    const bool norm = info.name.find("norm.weight") != std::string::npos;
    out.push_back(sines(info.shape, 0.7, static_cast<double>(out.size())) / 2 + (norm ? 1 : 0));
  }
  return out;
}

Config modern(const std::string& pooling, bool bias) {
  return Config::Object{{"classifier_pooling", text(pooling)}, {"classifier_bias", bias}, {"norm_bias", bias}};
}

struct Kind {
  std::string name;
  ClassifierSpec spec;
  Values logits;
};

std::vector<Kind> kinds() {
  const Config none = Config::Object{};
  const Values tanh = {{0.4562798461529456, -0.7390241804001629, 0.03190585820933617},
                       {0.2333304745517138, -0.5833683931924143, -0.03846949051244658},
                       {-0.0872910563653226, -0.1926251840141192, -0.4541819219001226}};
  return {
      {"pooler", pooler_classifier(none, "B", "b."), tanh},
      {"two layers", two_layer_classifier(none, "R", "r."), tanh},
      {"two layers with gelu",
       two_layer_classifier(none, "E", "e.", Activation::kGelu),
       {{0.4612146482802681, -0.797922698978307, 0.1379620561552444},
        {0.2142448022066868, -0.5224357836128166, -0.1342079502096957},
        {0.2051025248700388, -0.575490007969458, -0.02508792196169812}}},
      {"pre_classifier",
       pre_classifier(none, "D", "d."),
       {{0.4687055606875785, -0.8667788191437218, 0.2602266931711733},
        {0.2579881918253931, -0.6200040435937091, 0.005910648759927473},
        {0.2427242500926544, -0.6694932851454416, 0.1144343285182459}}},
      {"normed, first token",
       normed_classifier(modern("cls", false), "M", "m."),
       {{0.7673235121872887, -0.8823069631018201, -0.009129330035658245},
        {-0.389173924825884, 0.3583035932043628, -1.1904938574646},
        {0.1683172677741941, -0.4603197223964438, -0.2053346969620195}}},
      {"normed, first token, biases",
       normed_classifier(modern("cls", true), "M", "m."),
       {{-0.452834565866181, -0.6595216989627991, 0.7556109678781197},
        {-0.5424348142849884, -0.6389223403246983, 0.8063928644723973},
        {-0.4831853624869123, -0.3662179849336394, 0.2332471405801189}}},
      {"normed, mean",
       normed_classifier(modern("mean", false), "M", "m."),
       {{0.963084276233933, -1.018358715154207, 0.05149190645944118},
        {-0.389173924825884, 0.3583035932043628, -1.1904938574646},
        {0.09334991459680396, -0.4584778957590409, -0.1338381641954292}}},
      {"normed, mean, biases",
       normed_classifier(modern("mean", true), "M", "m."),
       {{-0.4500050670028389, -0.7097342147186076, 0.8474041772673772},
        {-0.5424348142849884, -0.6389223403246983, 0.8063928644723973},
        {-0.6481050049332649, -0.2215901220494558, 0.125623576041189}}},
  };
}

at::Tensor tensor_of(const Values& rows) {
  std::vector<double> flat;
  for (const auto& row : rows) flat.insert(flat.end(), row.begin(), row.end());
  return at::tensor(flat, at::kDouble).view({static_cast<int64_t>(rows.size()), -1});
}

TEST(ClassificationHead, EveryKindHasTheLogitsOfTransformers) {
  const PackedBatch batch = batch_of({2, 1, 3});
  for (const auto& [name, spec, logits] : kinds()) {
    Fixture fixture(spec, 4, 3);
    const at::Tensor found = fixture.forward(sines({6, 4}, 0.3, 0), golden_values(fixture), batch);
    expect_close(found, tensor_of(logits), 1e-12, name);
  }
}

TEST(Differences, EveryClassificationHead) {
  const PackedBatch batch = batch_of({2, 1, 3});
  for (const auto& [name, spec, logits] : kinds()) {
    Fixture fixture(spec, 4, 3);
    std::vector<at::Tensor> inputs = {random_tensor({6, 4}, at::kDouble, 5)};
    for (const at::Tensor& value : golden_values(fixture)) inputs.push_back(value.contiguous());
    for (const bool training : {false, true}) {
      expect_autograd(
          [&](const std::vector<at::Tensor>& given) {
            return fixture.forward(given[0], {given.begin() + 1, given.end()}, batch, training);
          },
          inputs, name);
    }
  }
}

// Through layers that change nothing, so that what is seen is what was dropped: x / (1 - p), or / (1 - p)^2 where
// dropout comes before the dense layer, too.
TEST(ClassificationHead, DropsWhereTransformersDrops) {
  constexpr int64_t kWidth = 48;
  const Config config = Config::Object{{"classifier_dropout", 0.25},
                                       {"hidden_dropout_prob", 0.4},
                                       {"seq_classif_dropout", 0.3},
                                       {"classifier_pooling", text("cls")}};
  const auto check = [&](ClassifierSpec spec, double probability, int times, const std::string& what) {
    spec.activation = Activation::kIdentity;
    spec.norm.clear();
    Fixture fixture(spec, kWidth, kWidth);
    std::vector<at::Tensor> values;
    for (const TensorInfo& info : fixture.parameters.layout.tensors()) {
      values.push_back(info.shape.size() == 2 ? at::eye(kWidth, at::kDouble)
                                              : at::zeros_like(at::ones({kWidth}, at::kDouble)));
    }
    const PackedBatch batch = batch_of(std::vector<int>(100, 1));
    const at::Tensor ones_TD = at::ones({100, kWidth}, at::kDouble);
    EXPECT_TRUE(same_bits(fixture.forward(ones_TD, values, batch), ones_TD)) << what;
    const at::Tensor dropped = fixture.forward(ones_TD, values, batch, true);
    const double kept = std::pow(1 - probability, times);  // but for the rounding of the probability to 1 / 65536
    expect_close(dropped.max(), at::ones({}, at::kDouble) / kept, 1e-4, what + ": the largest");
    EXPECT_NEAR((dropped > 0).to(at::kDouble).mean().item<double>(), kept, 0.03) << what;
    EXPECT_FALSE(same_bits(fixture.forward(ones_TD, values, batch, true, 2), dropped)) << what;
  };
  check(pooler_classifier(config, "", ""), 0.25, 1, "pooler");
  check(two_layer_classifier(config, "", ""), 0.25, 2, "two layers");
  check(two_layer_classifier(config, "", "", Activation::kTanh, false), 0.4, 2, "two layers, hidden dropout");
  check(pre_classifier(config, "", ""), 0.3, 1, "pre_classifier");
  check(normed_classifier(config, "", ""), 0.25, 1, "normed");
  // Without a dropout of its own the hidden one counts, and without both 0.1.
  const Config hidden = Config::Object{{"classifier_dropout", Config()}, {"hidden_dropout_prob", 0.4}};
  check(pooler_classifier(hidden, "", ""), 0.4, 1, "hidden");
  check(two_layer_classifier(Config::Object{}, "", ""), 0.1, 2, "default");
}

TEST(ClassificationHead, NamesAreThoseOfTransformers) {
  const auto list = [](const ClassifierSpec& spec) {
    std::string out;
    for (const NewTensor& tensor : names_of(spec).tensors) out += tensor.name + (tensor.outside ? "; " : " inside; ");
    return out;
  };
  const Config none = Config::Object{};
  EXPECT_EQ(list(pooler_classifier(none, "", "")),
            "pooler.dense.weight inside; pooler.dense.bias inside; classifier.weight; classifier.bias; ");
  EXPECT_EQ(list(two_layer_classifier(none, "", "")),
            "classifier.dense.weight; classifier.dense.bias; classifier.out_proj.weight; classifier.out_proj.bias; ");
  EXPECT_EQ(list(pre_classifier(none, "", "")),
            "pre_classifier.weight; pre_classifier.bias; classifier.weight; classifier.bias; ");
  EXPECT_EQ(list(normed_classifier(none, "", "")),
            "head.dense.weight; head.norm.weight; classifier.weight; classifier.bias; ");
  EXPECT_EQ(list(normed_classifier(modern("mean", true), "", "")),
            "head.dense.weight; head.dense.bias; head.norm.weight; head.norm.bias; classifier.weight; "
            "classifier.bias; ");
  expect_error("ERR_NOT_IMPLEMENTED", "config.json has classifier_pooling: \"max\"",
               [] { normed_classifier(modern("max", true), "", ""); });
}

TEST(Describe, RefusesAndDescribesWithoutMakingAnything) {
  const auto layers = [](double count) { return Config(Config::Object{{"num_hidden_layers", count}}); };
  expect_error("ERR_INVALID_MODEL", "from 1 to 4096 as num_hidden_layers in config.json, found 1000000000",
               [&] { describe("bert", layers(1e9)); });
  EXPECT_EQ(describe("bert", layers(4096)).layers, 4096);
  EXPECT_EQ(*describe("bert", Config::Object{}).positions, 512);
  expect_error("ERR_NOT_IMPLEMENTED",
               "model_type \"nonsense\"; built are: ", [] { describe("nonsense", Config::Object{}); });
  EXPECT_EQ(usual_prefixes({"x."}),
            (std::vector<std::string>{"0.auto_model.x.", "0.auto_model.", "0.model.", "model.x.", "model.", "x."}));
}

}  // namespace

}  // namespace st::test
