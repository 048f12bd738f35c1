// Every loss of cross-encoders: gradients against central differences in float64, values, errors.
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <set>
#include <sstream>

#include "losses/cross_encoder/cross_encoder.h"
#include "support.h"

namespace st::test {

namespace {

constexpr int64_t kRows = 6;

enum class Labels { kNone, kScores, kClasses, kProbabilities, kGrades, kMargins, kTeacher };

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
    case Labels::kProbabilities:
      return random_tensor({kRows, 3}, at::kDouble, 3).softmax(1);
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
      {"CrossEntropyLoss", {}, Labels::kProbabilities, 1, 3},
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
      {"LambdaLoss", scheme("NDCGLoss2PP", {{"k", 1.0}}), grades},
      {"RankNetLoss", {}, grades},
      {"RankNetLoss", {{"k", 2.0}, {"sigma", 2.0}}, grades},
      {"ListNetLoss", {}, scores},
      {"ListNetLoss", tanh, grades},
      {"ListMLELoss", {}, grades},
      {"ListMLELoss", tanh, grades},
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
  EXPECT_NEAR(value_of(*make("ListMLELoss", {}), zeros, one_two, list), std::log(2.0), 1e-14);
  // Ranks 2 and 1 against 1.5 twice, divided by log2(3) and log2(2).
  EXPECT_NEAR(value_of(*make("ADRMSELoss", {}), zeros, one_two, list), (0.25 / std::log2(3.0) + 0.25) / 2, 1e-14);
  // No document is better than another.
  EXPECT_EQ(value_of(*make("LambdaLoss", {}), zeros, half, list), 0);
}

// A list of scores, best label first unless labels are given, in float32 as in training; with the gradient.
struct Ranked {
  double value;
  at::Tensor gradient;
};

Ranked rank(const std::string& type, const Config::Object& options, const std::vector<double>& scores,
            std::vector<double> labels = {}) {
  const auto count = static_cast<int64_t>(scores.size());
  const at::Tensor logits = at::zeros({1, count, 1}, at::kFloat), grades = at::zeros({count}, at::kFloat);
  for (int64_t i = 0; i < count; ++i) {
    logits[0][i][0] = scores[static_cast<size_t>(i)];
    grades[i] = labels.empty() ? static_cast<double>(count - i) : labels[static_cast<size_t>(i)];
  }
  const std::vector<at::Tensor> none;
  const at::Tensor leaf = logits.requires_grad_(true);
  const LossInput input{.embeddings_CBD = leaf, .labels = grades, .parameters = none, .lists_Q1 = integers({0, count})};
  const at::Tensor value = make(type, options)->forward(input).total;
  return {value.item<double>(), torch::autograd::grad({value}, {leaf})[0].flatten()};
}

TEST(CrossEncoderLosses, PairsCountOfWhichOneDocumentIsAmongTheFirst) {
  const std::vector<double> scores = {0.2, 1.5, -0.7, 0.9}, labels = {3, 0, 1, 2};
  const std::vector<int> ranks = {2, 0, 3, 1};
  for (int k = 1; k <= 5; ++k) {
    double sum = 0, pairs = 0;
    for (size_t i = 0; i < 4; ++i) {
      for (size_t j = 0; j < 4; ++j) {
        if (labels[i] <= labels[j] || (ranks[i] >= k && ranks[j] >= k)) continue;
        sum += std::log2(1 + std::exp(scores[j] - scores[i]));
        ++pairs;
      }
    }
    EXPECT_NEAR(rank("RankNetLoss", {{"k", static_cast<double>(k)}}, scores, labels).value, sum / pairs, 1e-6) << k;
  }
}

// -log sigmoid(-120) is 120, where a sigmoid in float32 is 0.
TEST(CrossEncoderLosses, PairsThatAreFarFromTheirOrderHaveALossAndAGradient) {
  const Ranked natural = rank("RankNetLoss", {{"reductionLog", text("natural")}}, {-60, 60});
  EXPECT_NEAR(natural.value, 120, 1e-4);
  EXPECT_NEAR(natural.gradient[0].item<double>(), -1, 1e-6);
  EXPECT_NEAR(natural.gradient[1].item<double>(), 1, 1e-6);
  EXPECT_NEAR(rank("RankNetLoss", {}, {-60, 60}).value, 120 / std::log(2.0), 1e-4);
  EXPECT_GT(rank("LambdaLoss", {}, {-60, 60}).gradient[1].item<double>(), 0.1);
}

TEST(CrossEncoderLosses, SumsOfExponentialsAreWithinReach) {
  for (const char* type : {"ListMLELoss", "PListMLELoss"}) {
    const Ranked far = rank(type, {}, {100, -100}), low = rank(type, {}, {-30, -31}),
                 wrong = rank(type, {}, {-100, 100});
    EXPECT_EQ(far.value, 0) << type;
    EXPECT_NEAR(low.value, std::log1p(std::exp(-1.0)), 1e-6) << type;
    EXPECT_NEAR(low.gradient[1].item<double>(), 1 / (1 + std::exp(1.0)), 1e-5) << type;
    EXPECT_NEAR(wrong.value, 200, 1e-4) << type;
    EXPECT_NEAR(wrong.gradient[0].item<double>(), -1, 1e-6) << type;
  }
}

// The weights of documents with equal scores: 2 ^ (documents - rank) - 1, of a document that is followed by n - rank
// others.
TEST(CrossEncoderLosses, PListMLEWeighsRanksFromOne) {
  EXPECT_NEAR(rank("PListMLELoss", {}, {0, 0, 0, 0}).value,
              (7 * std::log(4.0) + 3 * std::log(3.0) + std::log(2.0)) / 11, 1e-6);
  EXPECT_EQ(rank("PListMLELoss", {}, {2}).value, 0);
  for (const int documents : {128, 129, 200}) {
    double sum = 0, weights = 0;
    for (int r = 1; r <= documents; ++r) {
      const double weight = std::exp2(-r) - std::exp2(-documents);
      sum += weight * std::log(documents - r + 1.0);
      weights += weight;
    }
    EXPECT_NEAR(rank("PListMLELoss", {}, std::vector<double>(static_cast<size_t>(documents), 0.0)).value, sum / weights,
                1e-5)
        << documents;
  }
}

// What leaves the classifier's bias without a gradient.
TEST(CrossEncoderLosses, SayWhetherANumberAddedToAllScoresChangesNothing) {
  for (const LossCase& c : loss_cases()) {
    if (c.classes > 1) continue;
    const auto loss = make(c.type, c.options);
    const at::Tensor logits = random_tensor({c.columns, kRows, 1}, at::kDouble, 2),
                     labels = labels_of(c.labels, c.columns);
    const double before = value_of(*loss, logits, labels, three_lists());
    const double change = value_of(*loss, logits + 0.7, labels, three_lists()) - before;
    EXPECT_EQ(loss->needs().ignores_shift, std::abs(change) < 1e-12) << c.type << " changes by " << change;
  }
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
