#include <ATen/TensorOperators.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/kl_div.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>

#include <limits>

#include "core/error.h"
#include "losses/loss.h"
#include "ops/similarity.h"

namespace st {

namespace {

// KL divergence of the student's distribution over a query's candidates from the teacher's, times the square of the
// student's temperature (Lin et al. 2020).
class DistillKLDiv : public Loss {
 public:
  explicit DistillKLDiv(const Config& spec)
      : similarity_(parse_pair_similarity(spec.string("similarity", "dot"))),
        student_(spec.number("studentTemperature", 1)),
        teacher_(spec.number("teacherTemperature", 1)) {
    require_options(spec, {"similarity", "studentTemperature", "teacherTemperature"});
    check(student_ > 0 && teacher_ > 0, "ERR_INVALID_ARGUMENT", "Expected positive temperatures but found ", student_,
          " and ", teacher_);
  }

  void check_batch(const LossInput& input) const override {
    require_columns("DistillKLDivLoss", input, 3, std::numeric_limits<int64_t>::max());
    check(input.labels.defined(), "ERR_INVALID_DATA",
          "DistillKLDivLoss needs a label for each row, but the batch has none");
    check(input.labels.sizes() == at::IntArrayRef({input.rows(), input.columns() - 1}), "ERR_INVALID_DATA",
          "DistillKLDivLoss needs ", input.rows(), " labels of ", input.columns() - 1,
          " scores, one for each candidate, but found the shape ", input.labels.sizes());
  }

  LossValue forward(const LossInput& input) const override {
    std::vector<at::Tensor> scores;
    for (int64_t c = 1; c < input.columns(); ++c) scores.push_back(similarity_(input.column(0), input.column(c)));
    const at::Tensor student_BN = at::log_softmax(at::stack(scores, 1) / student_, 1);
    const at::Tensor teacher_BN = at::softmax(input.labels.to(student_BN.scalar_type()) / teacher_, 1);
    return at::kl_div(student_BN, teacher_BN, at::Reduction::Sum) / input.rows() * (student_ * student_);
  }

 private:
  PairSimilarity similarity_;
  double student_, teacher_;
};

}  // namespace

std::unique_ptr<Loss> make_distill_kl_div(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<DistillKLDiv>(spec);
}

}  // namespace st
