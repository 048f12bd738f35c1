// Every loss of cross-encoders: gradients against central differences in float64, values, errors.
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <set>
#include <sstream>

#include "losses/cross_encoder/cross_encoder.h"
#include "support.h"

namespace st::test {

namespace {

constexpr int64_t kRows = 6;

enum class Labels { kNone, kScores, kClasses, kGrades, kMargins, kTeacher };

at::Tensor integers(const std::vector<int64_t>& values) {
  at::Tensor out = at::empty({static_cast<int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), out.data_ptr<int64_t>());
  return out;
}

at::Tensor labels_of(Labels kind, int64_t columns) {
  switch (kind) {
    case Labels::kScores:
      return random_tensor({kRows}, at::kDouble, 3).abs();
    case Labels::kClasses:
      return integers({1, 0, 2, 1, 0, 2});
    case Labels::kGrades:
      return integers({2, 0, 1, 0, 1, 1}).to(at::kDouble);
    case Labels::kMargins:
      return random_tensor({kRows, columns - 1}, at::kDouble, 3);
    case Labels::kTeacher:
      return random_tensor({kRows, columns}, at::kDouble, 3);
    case Labels::kNone:
      break;
  }
  return {};
}

struct LossCase {
  std::string type;
  Config::Object options;
  Labels labels;
  int64_t columns = 1;
  int64_t classes = 1;
};

Config::Object scheme(const std::string& name, Config::Object more = {}) {
  more["weightingScheme"] = text(name);
  return more;
}

// A new loss gets its line here: RegistryIsCovered fails without it.
const std::vector<LossCase>& loss_cases() {
  const Labels scores = Labels::kScores, grades = Labels::kGrades;
  const Config::Object tanh = {{"activationFn", text("tanh")}};
  static const std::vector<LossCase> cases = {
      {"BinaryCrossEntropyLoss", {}, scores},
      {"BinaryCrossEntropyLoss", {{"posWeight", 2.5}, {"activationFn", text("tanh")}}, scores},
      {"CrossEntropyLoss", {}, Labels::kClasses, 1, 3},
      {"CrossEntropyLoss", {{"labelSmoothing", 0.1}, {"weight", Config::Array{1.0, 2.0, 0.5}}}, Labels::kClasses, 1, 3},
      {"MSELoss", {}, scores},
      {"MSELoss", {{"activationFn", text("sigmoid")}}, scores},
      {"MarginMSELoss", {}, scores, 2},
      {"MarginMSELoss", tanh, Labels::kMargins, 4},
      {"MarginMSELoss", {}, Labels::kTeacher, 4},
      {"MultipleNegativesRankingLoss", {}, Labels::kNone, 5},
      {"MultipleNegativesRankingLoss", {{"scale", 3.0}, {"activationFn", text("identity")}}, Labels::kNone, 2},
      {"LambdaLoss", {}, grades},
      {"LambdaLoss", scheme("NDCGLoss2PP", {{"mu", 2.0}, {"k", 2.0}, {"reductionLog", text("natural")}}), grades},
      {"LambdaLoss", scheme("NDCGLoss1"), grades},
      {"LambdaLoss", scheme("NDCGLoss2", {{"sigma", 0.5}}), grades},
      {"LambdaLoss", scheme("LambdaRank", tanh), grades},
      {"LambdaLoss", scheme("NoWeighting", {{"eps", 1e-6}}), grades},
      {"RankNetLoss", {}, grades},
      {"RankNetLoss", {{"k", 2.0}, {"sigma", 2.0}}, grades},
      {"ListNetLoss", {}, scores},
      {"ListNetLoss", tanh, grades},
      {"ListMLELoss", {}, grades},
      {"PListMLELoss", {}, grades},
      {"PListMLELoss", {{"respectInputOrder", false}}, scores},
      {"PListMLELoss", {{"lambdaWeight", false}}, grades},
      {"ADRMSELoss", {}, grades},
      {"ADRMSELoss", {{"alpha", 3.0}}, scores},
  };
  return cases;
}

// The lists of 3, 1 and 2 documents, for losses that read them.
double value_of(const Loss& loss, const at::Tensor& logits_CBL, const at::Tensor& labels, const at::Tensor& lists) {
  const std::vector<at::Tensor> none;
  const LossInput input{.embeddings_CBD = logits_CBL, .labels = labels, .parameters = none, .lists_Q1 = lists};
  loss.check_batch(input);
  return loss.forward(input).total.item<double>();
}

std::unique_ptr<Loss> make(const std::string& type, Config::Object options, int64_t classes = 1) {
  static Layout layout;
  options["type"] = text("CrossEncoder." + type);
  return make_loss(options, classes, LossLayout{layout});
}

const at::Tensor& three_lists() {
  static const at::Tensor lists = integers({0, 3, 4, 6});
  return lists;
}

TEST(CrossEncoderLosses, RegistryIsCovered) {
  std::string known;
  try {
    make("NoLoss", {});
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "ERR_NOT_IMPLEMENTED");
    known = error.what();
  }
  const std::string lead = "Loss CrossEncoder.NoLoss is not built: expected ";
  ASSERT_EQ(known.rfind(lead, 0), 0U) << known;
  std::set<std::string> registered, covered;
  std::istringstream names(known.substr(lead.size()));
  for (std::string name; std::getline(names >> std::ws, name, ',');) registered.insert(name);
  for (const LossCase& c : loss_cases()) covered.insert("CrossEncoder." + c.type);
  EXPECT_EQ(registered, covered);
}

TEST(Differences, CrossEncoderLosses) {
  const std::vector<at::Tensor> none;
  for (const LossCase& c : loss_cases()) {
    const auto loss = make(c.type, c.options, c.classes);
    const at::Tensor labels = labels_of(c.labels, c.columns);
    expect_autograd(
        [&](const std::vector<at::Tensor>& in) {
          const LossInput input{
              .embeddings_CBD = in[0], .labels = labels, .parameters = none, .lists_Q1 = three_lists()};
          loss->check_batch(input);
          return loss->forward(input).total;
        },
        {random_tensor({c.columns, kRows, c.classes}, at::kDouble, 2)}, c.type);
  }
}

TEST(CrossEncoderLosses, Values) {
  const at::Tensor zeros = at::zeros({1, 2, 1}, at::kDouble), one_two = integers({1, 2}).to(at::kDouble);
  const at::Tensor list = integers({0, 2}), half = zeros.view({2}) + 0.5;
  EXPECT_NEAR(value_of(*make("BinaryCrossEntropyLoss", {}), zeros, half, {}), std::log(2.0), 1e-14);
  EXPECT_NEAR(value_of(*make("CrossEntropyLoss", {}, 3), at::zeros({1, 2, 3}, at::kDouble), integers({2, 0}), {}),
              std::log(3.0), 1e-14);
  EXPECT_NEAR(value_of(*make("MSELoss", {}), zeros, half, {}), 0.25, 1e-14);
  EXPECT_NEAR(value_of(*make("MarginMSELoss", {}), at::zeros({2, 2, 1}, at::kDouble), half, {}), 0.25, 1e-14);
  EXPECT_NEAR(value_of(*make("MultipleNegativesRankingLoss", {}), at::zeros({5, 2, 1}, at::kDouble), {}, {}),
              std::log(5.0), 1e-14);
  // Two documents with equal scores: sigmoid(0) is a half, one bit.
  EXPECT_NEAR(value_of(*make("RankNetLoss", {}), zeros, one_two, list), 1, 1e-14);
  EXPECT_NEAR(value_of(*make("RankNetLoss", {{"reductionLog", text("natural")}}), zeros, one_two, list), std::log(2.0),
              1e-14);
  EXPECT_NEAR(value_of(*make("ListNetLoss", {}), zeros, one_two, list), std::log(2.0), 1e-14);
  EXPECT_NEAR(value_of(*make("ListMLELoss", {}), zeros, one_two, list), std::log(2.0), 1e-9);
  // Ranks 2 and 1 against 1.5 twice, divided by log2(3) and log2(2).
  EXPECT_NEAR(value_of(*make("ADRMSELoss", {}), zeros, one_two, list), (0.25 / std::log2(3.0) + 0.25) / 2, 1e-14);
  // No document is better than another.
  EXPECT_EQ(value_of(*make("LambdaLoss", {}), zeros, half, list), 0);
}

TEST(CrossEncoderLosses, BatchesThatDoNotFitAreRefused) {
  const at::Tensor logits = at::zeros({1, kRows, 1}, at::kDouble), pairs = at::zeros({2, kRows, 1}, at::kDouble);
  const at::Tensor grades = labels_of(Labels::kGrades, 1);
  const auto refused = [](const std::string& message, const Loss& loss, const at::Tensor& logits_CBL,
                          const at::Tensor& labels, const at::Tensor& lists) {
    expect_error("ERR_INVALID_DATA", message, [&] { value_of(loss, logits_CBL, labels, lists); });
  };
  for (const char* type : {"LambdaLoss", "RankNetLoss", "ListNetLoss", "ListMLELoss", "PListMLELoss", "ADRMSELoss"}) {
    refused("needs lists", *make(type, {}), logits, grades, {});
    refused("takes 1 text columns but the batch has 2", *make(type, {}), pairs, grades, three_lists());
    refused("needs a label for each row", *make(type, {}), logits, {}, three_lists());
  }
  refused("needs a label for each row", *make("BinaryCrossEntropyLoss", {}), logits, {}, {});
  refused("labels from 0 to 1, but found 2", *make("CrossEntropyLoss", {}, 2), at::zeros({1, 6, 2}, at::kDouble),
          labels_of(Labels::kClasses, 1), {});
  refused("needs 1 margins or, with the positive's, 2 scores", *make("MarginMSELoss", {}), pairs,
          random_tensor({kRows, 3}, at::kDouble, 1), {});
}

TEST(CrossEncoderLosses, OptionsAndModelsThatDoNotFitAreRefused) {
  for (const LossCase& c : loss_cases()) {
    Config::Object options = c.options;
    options["scales"] = 1.0;
    expect_error("ERR_UNKNOWN_OPTION", c.type + " has no option scales", [&] { make(c.type, options, c.classes); });
    if (c.type == "CrossEntropyLoss") continue;
    expect_error("ERR_INVALID_ARGUMENT", "needs a model with one label but the model has numLabels 2",
                 [&] { make(c.type, c.options, 2); });
  }
  expect_error("ERR_INVALID_ARGUMENT", "NDCGLoss2PP for weightingScheme but found NDCG",
               [] { make("LambdaLoss", scheme("NDCG")); });
  expect_error("ERR_INVALID_ARGUMENT", "a weight for each of the 3 labels but found 2",
               [] { make("CrossEntropyLoss", {{"weight", Config::Array{1.0, 2.0}}}, 3); });
}

}  // namespace

}  // namespace st::test
