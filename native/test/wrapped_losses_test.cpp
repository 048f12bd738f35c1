// Every loss inside every loss that holds another, in batches of one, two and three rows.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "loss_cases.h"
#include "ops/similarity.h"

namespace st::test {

namespace {

struct Wrapper {
  std::string type;
  Config::Object options;
  bool layers = false;
};

Config numbers(const std::vector<double>& values) {
  return Config::Array(values.begin(), values.end());
}

// Cut embeddings of one number would be 1 or -1, whatever they were.
const Config::Object kCut = {{"matryoshkaDims", numbers({6, 3})}, {"matryoshkaWeights", numbers({1, 0.5})}};

const std::vector<Wrapper>& wrappers() {
  static const std::vector<Wrapper> all = {
      {"MatryoshkaLoss", kCut},
      {"AdaptiveLayerLoss", {{"nLayersPerStep", -1.0}, {"klTemperature", 0.0}}, true},
  };
  return all;
}

Config::Object around(const Wrapper& wrapper, const std::string& type, Config::Object inner) {
  inner["type"] = text(type);
  Config::Object options = wrapper.options;
  options["loss"] = inner;
  return options;
}

void add_layers(LossInput& input) {
  const at::Tensor& x_CBD = input.embeddings_CBD;
  input.layers_CBD = {x_CBD.sin(), x_CBD * x_CBD - 0.5, x_CBD};
}

at::Tensor first_rows(const at::Tensor& labels, int64_t rows) {
  return labels.defined() ? labels.narrow(0, 0, rows) : labels;
}

// Why `wrapper` does not hold the loss; empty where it does.
std::string reason(const Wrapper& wrapper, const LossCase& c) {
  const bool cuts = wrapper.type == "MatryoshkaLoss";
  if (c.type == "MatryoshkaLoss" && cuts) return " of width ";
  if (c.type == "AdaptiveLayerLoss" && cuts) {
    const std::string& inside = c.options.at("loss").string("type");
    return inside == "SoftmaxLoss" ? "fits one width" : inside == "MatryoshkaLoss" ? " of width " : "";
  }
  if (c.type == "CSRLoss") return "which reads more than sentence embeddings";
  if (c.type == "AdaptiveLayerLoss" || c.type.rfind("ContrastiveTension", 0) == 0) {
    return cuts ? "" : "which reads more than sentence embeddings";
  }
  const bool has_tensors = c.type == "SoftmaxLoss" || c.type == "SpladeLoss" || c.options.count("projectionDim") > 0;
  return cuts && has_tensors ? "fits one width" : "";
}

// As expect_autograd, where some or all of the inputs may not matter: a single row has no negatives.
void expect_gradients(const std::function<at::Tensor(const std::vector<at::Tensor>&)>& function,
                      const std::vector<at::Tensor>& inputs, const std::string& where) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& input : inputs) leaves.push_back(input.detach().requires_grad_(true));
  const at::Tensor out = function(leaves);
  std::vector<at::Tensor> found(inputs.size());
  if (out.requires_grad()) found = torch::autograd::grad({out}, leaves, {}, std::nullopt, false, true);
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < inputs.size(); ++i) {
    expect_gradient([&] { return function(inputs).item<double>(); }, inputs[i],
                    found[i].defined() ? found[i] : at::zeros_like(inputs[i]), where + ", input " + std::to_string(i));
  }
}

TEST(WrappedLosses, AreRefusedWithAReasonOrHaveTheGradientOfTheirValue) {
  for (const LossCase& c : loss_cases()) {
    for (const Wrapper& wrapper : wrappers()) {
      const Config::Object options = around(wrapper, c.type, c.options);
      const std::string name = wrapper.type + " around " + c.type;
      if (const std::string why = reason(wrapper, c); !why.empty()) {
        expect_error("ERR_INVALID_ARGUMENT", why, [&] { LossFixture(wrapper.type, options); });
        continue;
      }
      // The inner one makes layers of its own.
      const auto complete = [&](LossInput& input) {
        c.complete(input);
        if (wrapper.layers) add_layers(input);
      };
      for (int64_t columns : c.columns) {
        for (int64_t rows = 1; rows <= 3; ++rows) {
          LossFixture fixture(wrapper.type, options);
          const at::Tensor labels = first_rows(c.labels(columns), rows);
          std::vector<at::Tensor> inputs = fixture.values();
          inputs.insert(inputs.begin(), random_tensor({columns, rows, kWidth}, at::kDouble, 2));
          const std::string where =
              name + ", " + std::to_string(columns) + " columns, " + std::to_string(rows) + " rows";
          const auto value = [&](const std::vector<at::Tensor>& in) {
            return fixture.forward(in[0], labels, std::vector<at::Tensor>(in.begin() + 1, in.end()), complete);
          };
          EXPECT_TRUE(std::isfinite(value(inputs).item<double>())) << where;
          expect_gradients(value, inputs, where);
        }
      }
    }
  }
}

// Σ weight · loss(normalize(embeddings[: d]), labels[: d] where they are embeddings), written out.
TEST(WrappedLosses, MatryoshkaCutsLabelsThatAreEmbeddingsAndNoOthers) {
  const auto expected = [](const std::string& type, const at::Tensor& x_CBD, const at::Tensor& labels, bool cuts) {
    double sum = 0;
    for (const auto& [dim, weight] : {std::pair<int64_t, double>{6, 1}, {3, 0.5}}) {
      const at::Tensor cut = x_CBD.narrow(2, 0, dim);
      const at::Tensor unit = normalize_rows(cut.flatten(0, 1)).view(cut.sizes());
      Parameters none;
      const std::unique_ptr<Loss> loss = make_loss(Config::Object{{"type", text(type)}}, dim, {none.layout});
      const std::vector<at::Tensor> parameters;
      LossInput input{
          .embeddings_CBD = unit, .labels = cuts ? labels.narrow(-1, 0, dim) : labels, .parameters = parameters};
      loss->check_batch(input);
      sum += weight * loss->forward(input).total.item<double>();
    }
    return sum;
  };
  const auto compare = [&](const std::string& type, int64_t columns, std::vector<int64_t> shape, bool cuts) {
    shape.insert(shape.begin(), kRows);
    const at::Tensor x = random_tensor({columns, kRows, kWidth}, at::kDouble, 1);
    const at::Tensor labels = random_tensor(shape, at::kDouble, 2);
    LossFixture fixture("MatryoshkaLoss", around(wrappers()[0], type, {}));
    EXPECT_NEAR(fixture.value(x, labels), expected(type, x, labels, cuts), 1e-12) << type << " of " << columns;
  };
  for (const char* type : {"MSELoss", "EmbedDistillLoss"}) {
    for (int64_t columns : {1, 2, 3}) {
      compare(type, columns, {kWidth}, true);
      compare(type, columns, {columns, kWidth}, true);
    }
  }
  // As many margins, or scores, as an embedding has numbers.
  compare("MarginMSELoss", kWidth + 2, {kWidth}, false);
  compare("MarginMSELoss", kWidth + 1, {kWidth}, false);
  compare("DistillKLDivLoss", kWidth + 1, {kWidth}, false);
}

TEST(WrappedLosses, WidthsInsideOneAnotherHaveToFit) {
  const Config::Object ranking = {{"type", text("MultipleNegativesRankingLoss")}};
  const auto nested = [&](const std::vector<double>& outer, const std::vector<double>& inner) {
    const Config::Object inside = {
        {"type", text("MatryoshkaLoss")}, {"loss", ranking}, {"matryoshkaDims", numbers(inner)}};
    return Config::Object{{"loss", inside}, {"matryoshkaDims", numbers(outer)}};
  };
  const at::Tensor x = random_tensor({2, kRows, kWidth}, at::kDouble, 3);
  const auto cut = [&](int64_t dim) {
    return LossFixture("MultipleNegativesRankingLoss", {}).value(x.narrow(2, 0, dim).contiguous(), {});
  };
  EXPECT_NEAR(LossFixture("MatryoshkaLoss", nested({6, 4}, {4, 2})).value(x, {}), 2 * cut(4) + 2 * cut(2), 1e-12);
  expect_error("ERR_INVALID_ARGUMENT", "cannot hold MatryoshkaLoss of width 4 where it cuts embeddings to 3",
               [&] { LossFixture("MatryoshkaLoss", nested({6, 3}, {4, 2})); });
  // Also where other losses lie between them.
  const Config::Object between = {{"type", text("AdaptiveLayerLoss")}, {"loss", nested({6, 3}, {4, 2}).at("loss")}};
  expect_error("ERR_INVALID_ARGUMENT", "cannot hold AdaptiveLayerLoss of width 4 where it cuts embeddings to 3",
               [&] { LossFixture("MatryoshkaLoss", {{"loss", between}, {"matryoshkaDims", numbers({6, 3})}}); });
}

}  // namespace

}  // namespace st::test
