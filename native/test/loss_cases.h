#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "losses/loss.h"
#include "support.h"

// The losses of the registry with their options, labels and columns, for the tests that go through all of them.
namespace st::test {

constexpr int64_t kRows = 5, kWidth = 6;

// By the number of columns.
using Labels = std::function<at::Tensor(int64_t)>;

at::Tensor scores(int64_t columns);
at::Tensor classes(int64_t columns);  // 1, 0, 2, 1, 0

struct LossCase {
  std::string type;
  Config::Object options;
  Labels labels;
  std::vector<int64_t> columns;
  // What the loss asks for beyond embeddings and labels.
  std::function<void(LossInput&)> complete = [](LossInput&) {};
};

const std::vector<LossCase>& loss_cases();

// A loss with its own parameters, for embeddings of width kWidth.
struct LossFixture {
  Parameters parameters;
  std::unique_ptr<Loss> loss;

  LossFixture(const std::string& type, Config::Object options) {
    options["type"] = text(type);
    loss = make_loss(options, kWidth, LossLayout{parameters.layout});
    parameters.allocate(at::kCPU, at::kDouble);
    loss->initialize(parameters, 1);
  }
  std::vector<at::Tensor> values() { return parameters.layout.views(parameters.flat()); }
  at::Tensor forward(
      const at::Tensor& embeddings_CBD, const at::Tensor& labels, const std::vector<at::Tensor>& values,
      const std::function<void(LossInput&)>& complete = [](LossInput&) {}) const {
    LossInput input{.embeddings_CBD = embeddings_CBD, .labels = labels, .parameters = values};
    complete(input);
    loss->check_batch(input);
    return loss->forward(input).total;
  }
  double value(const at::Tensor& embeddings_CBD, const at::Tensor& labels) {
    return forward(embeddings_CBD, labels, values()).item<double>();
  }
};

}  // namespace st::test
