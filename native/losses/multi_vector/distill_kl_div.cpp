#include <ATen/TensorOperators.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/kl_div.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/stack.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "losses/multi_vector/multi_vector.h"

namespace st::multi_vector {

namespace {

// KL divergence of the student's distribution over a query's documents from the teacher's, times the square of the
// student's temperature (Santhanam et al. 2022).
class MultiVectorDistillKLDiv : public Loss {
 public:
  explicit MultiVectorDistillKLDiv(const Config& spec)
      : scores_(parse_scores(spec)),
        student_(spec.number("studentTemperature", 1)),
        teacher_(spec.number("teacherTemperature", 1)) {
    require_options(spec, {"scores", "topK", "studentTemperature", "teacherTemperature"});
    check(student_ > 0 && teacher_ > 0 && std::isfinite(student_) && std::isfinite(teacher_), "ERR_INVALID_ARGUMENT",
          "Expected positive temperatures but found ", student_, " and ", teacher_);
  }
  LossNeeds needs() const override { return {.vectors = true, .capturable = false}; }
  void check_batch(const LossInput& input) const override {
    require_columns("MultiVectorDistillKLDivLoss", input, 3, std::numeric_limits<int64_t>::max());
    check(input.labels.defined(), "ERR_INVALID_DATA",
          "MultiVectorDistillKLDivLoss needs a label for each row, but the batch has none");
    check(input.labels.sizes() == at::IntArrayRef({input.rows(), input.columns() - 1}), "ERR_INVALID_DATA",
          "MultiVectorDistillKLDivLoss needs ", input.rows(), " labels of ", input.columns() - 1,
          " scores, one for each document, but found the shape ", input.labels.sizes());
  }
  LossValue forward(const LossInput& input) const override {
    const at::Tensor student_BN = at::log_softmax(scores(input) / student_, 1);
    const at::Tensor teacher_BN = at::log_softmax(input.labels.to(student_BN.scalar_type()) / teacher_, 1);
    const at::Tensor sum = at::kl_div(student_BN, teacher_BN, at::Reduction::Sum, /*log_target=*/true);
    return sum / input.rows() * (student_ * student_);
  }

 private:
  at::Tensor scores(const LossInput& input) const {
    const TokenVectors queries = column(input, 0);
    const int64_t documents = input.columns() - 1;
    std::vector<at::Tensor> of_column;
    if (scores_.top_k > 0) {
      // The best are those among the documents of all queries.
      const at::Tensor all_BN = max_sim(queries, columns(input, 1, input.columns()), scores_);
      for (int64_t c = 0; c < documents; ++c) {
        of_column.push_back(all_BN.narrow(1, c * input.rows(), input.rows()).diagonal());
      }
    } else {
      for (int64_t c = 0; c < documents; ++c) {
        of_column.push_back(max_sim_rows(queries, column(input, 1 + c), scores_));
      }
    }
    return at::stack(of_column, 1);
  }

  MaxSim scores_;
  double student_, teacher_;
};

}  // namespace

std::unique_ptr<Loss> make_distill_kl_div(const Config& spec) {
  return std::make_unique<MultiVectorDistillKLDiv>(spec);
}

}  // namespace st::multi_vector
