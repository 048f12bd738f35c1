// The kernels of residual_norm and embedding_norm against their references.
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>

#include "core/device.h"
#include "ops/cpu_call.h"
#include "ops/embedding_norm.h"
#include "ops/residual_norm_call.h"
#include "support.h"

namespace st::test {

namespace {

const std::vector<int64_t> kWidths = {1, 7, 12, 17, 32, 100, 384, 768};
const std::vector<int> kLengths = {1, 2, 15, 16, 17, 31, 33, 130};

// What sums in another order may differ by, and what a bf16 result may when it is rounded from a slightly different
// sum.
double tolerance(at::ScalarType type) {
  return type == at::kDouble ? 1e-12 : type == at::kFloat ? 2e-5 : 8e-3;
}
double sum_tolerance(at::ScalarType type) {
  return type == at::kDouble ? 1e-12 : 5e-5;
}  // of sums kept in the master dtype

// `bare`: nothing is there that need not be, and the sum is read by others, too.
struct Case {
  at::ScalarType type;
  int64_t width;
  Dropout dropout;
  NormKind kind;
  bool bare;
  std::string name;

  at::Tensor unless_bare(const at::Tensor& x) const { return bare ? at::Tensor() : x; }
};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16}) {
    for (int64_t width : kWidths) {
      for (double probability : {0.0, 0.1}) {
        const Dropout dropout(key_of_part(), 9, probability);
        const std::string name = std::string(c10::toString(type)) + ", width " + std::to_string(width) + ", dropout " +
                                 std::to_string(probability);
        out.push_back({type, width, dropout, NormKind::kLayer, false, name});
        out.push_back({type, width, dropout, NormKind::kRms, false, name + ", rms"});
        out.push_back({type, width, dropout, NormKind::kLayer, true, name + ", bare"});
      }
    }
  }
  return out;
}

NormWeights norm_weights(int64_t width, at::ScalarType master, double epsilon) {
  return {random_tensor({width}, master, 1) + 1.5, random_tensor({width}, master, 2), epsilon};
}
NormWeights norm_weights(const Case& c, double epsilon) {
  const NormWeights all = norm_weights(c.width, master_dtype(c.type), epsilon);
  return {all.gamma_D, c.unless_bare(all.beta_D), epsilon, c.kind};
}

// A layer norm of one column is the same for every input: its gradient is a difference of equals, noise over epsilon.
double epsilon_of(int64_t width) {
  return width == 1 ? 1.0 : 1e-12;
}

TEST(Kernels, ResidualNorm) {
  const PackedBatch batch = batch_of(kLengths);
  const Input input(batch, at::kCPU);
  const int64_t tokens = input.tokens();
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    const at::ScalarType master = master_dtype(c.type);
    const DropoutMask mask = mask_for(c.dropout, tokens, c.width);
    const NormWeights weights = norm_weights(c, epsilon_of(c.width));
    const at::Tensor bias = c.unless_bare(random_tensor({c.width}, master, 3)),
                     residual = random_tensor({tokens, c.width}, c.type, 4);
    struct Out {
      at::Tensor sum, out, mean, rstd, d_residual, d_linear, d_gamma, d_beta, d_bias;
    };
    const auto fresh = [&] {
      const at::TensorOptions m(master);
      return Out{random_tensor({tokens, c.width}, c.type, 5),
                 at::zeros({tokens, c.width}, c.type),
                 at::zeros({tokens}, m),
                 at::zeros({tokens}, m),
                 at::zeros({tokens, c.width}, c.type),
                 at::zeros({tokens, c.width}, c.type),
                 at::ones({c.width}, m),
                 c.unless_bare(at::ones({c.width}, m)),
                 c.unless_bare(at::ones({c.width}, m))};  // gradients are added to
    };
    Out a = fresh(), e = fresh();
    residual_norm(input, mask, weights, bias, residual, a.sum, a.out, a.mean, a.rstd);
    reference::residual_norm(input, mask, weights, bias, residual, e.sum, e.out, e.mean, e.rstd);
    expect_close(a.sum, e.sum, tolerance(c.type), "sum");
    expect_close(a.out, e.out, tolerance(c.type), "out");
    expect_close(a.mean, e.mean, sum_tolerance(c.type), "mean");
    expect_close(a.rstd, e.rstd, sum_tolerance(c.type), "rstd");

    const at::Tensor d_out = random_tensor({tokens, c.width}, c.type, 6),
                     d_sum = c.bare ? random_tensor({tokens, c.width}, c.type, 7) : at::Tensor();
    residual_norm_backward(input, mask, weights, d_out, d_sum, e.sum, e.mean, e.rstd, a.d_residual, a.d_linear,
                           a.d_gamma, a.d_beta, a.d_bias);
    reference::residual_norm_backward(input, mask, weights, d_out, d_sum, e.sum, e.mean, e.rstd, e.d_residual,
                                      e.d_linear, e.d_gamma, e.d_beta, e.d_bias);
    expect_close(a.d_residual, e.d_residual, tolerance(c.type), "d_residual");
    expect_close(a.d_linear, e.d_linear, tolerance(c.type), "d_linear");
    expect_close(a.d_gamma, e.d_gamma, sum_tolerance(c.type), "d_gamma");
    if (!c.bare) {
      expect_close(a.d_beta, e.d_beta, sum_tolerance(c.type), "d_beta");
      expect_close(a.d_bias, e.d_bias, sum_tolerance(c.type), "d_bias");
    }

    // As the layers use it: d_residual in the memory of d_out.
    const at::Tensor in_place = d_out.clone();
    residual_norm_backward(input, mask, weights, in_place, d_sum, e.sum, e.mean, e.rstd, in_place, a.d_linear,
                           a.d_gamma, a.d_beta, a.d_bias);
    EXPECT_TRUE(same_bits(in_place, a.d_residual));
    // Without statistics, as encoding uses it.
    Out bare = fresh();
    residual_norm(input, mask, weights, bias, residual, bare.sum, bare.out, {}, {});
    EXPECT_TRUE(same_bits(bare.out, a.out));
  }
}

// As a matrix product calls it: a block of rows in the arithmetic type, without keeping the sum.
TEST(Kernels, ResidualNormOfABlockOfRows) {
  const PackedBatch batch = batch_of(kLengths);
  const Input input(batch, at::kCPU);
  const int64_t tokens = input.tokens();
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    const at::ScalarType master = master_dtype(c.type);
    const NormWeights weights = norm_weights(c, epsilon_of(c.width));
    const at::Tensor bias = c.unless_bare(random_tensor({c.width}, master, 3)),
                     residual = random_tensor({tokens, c.width}, c.type, 4),
                     linear = random_tensor({tokens, c.width}, master, 5);
    at::Tensor sum = linear.clone(), expected = at::zeros({tokens, c.width}, master);  // the reference, unrounded
    reference::residual_norm(input, {c.dropout, {}}, weights, bias, residual, sum, expected, {}, {});
    const DropoutMask mask = mask_for(c.dropout, tokens, c.width);
    at::Tensor out = at::zeros({tokens, c.width}, c.type);
    with_storage(c.type, [&]<typename S>(S) {
      using A = kernels::arithmetic_t<S>;
      const auto call = residual_norm_call<S>(input, mask, weights, bias, residual, {}, out, {}, {});
      for (int64_t begin = 0; begin < tokens; begin += 50) {
        kernels::table<S>().residual_norm(call, begin, std::min(tokens, begin + 50), data<A>(linear) + begin * c.width,
                                          thread_scratch<A>(kernels::norm_scratch(c.width)));
      }
    });
    expect_close(out.to(master), expected, tolerance(c.type), "out");
  }
}

TEST(Kernels, EmbeddingNorm) {
  for (const Case& c : cases()) {
    for (int64_t types : {int64_t{0}, int64_t{2}}) {
      SCOPED_TRACE(c.name + ", types " + std::to_string(types));
      const PackedBatch batch = batch_of(kLengths, 29, types);
      const Input input(batch, at::kCPU);
      const int64_t tokens = input.tokens();
      const at::ScalarType master = master_dtype(c.type);
      const DropoutMask mask = mask_for(c.dropout, tokens, c.width);
      NormWeights weights = norm_weights(c, epsilon_of(c.width));
      if (c.bare) weights.gamma_D = at::Tensor();
      const EmbeddingTables tables{random_tensor({29, c.width}, master, 3),
                                   c.unless_bare(random_tensor({132, c.width}, master, 4)),
                                   c.unless_bare(random_tensor({2, c.width}, master, 5))};
      const EmbeddingPlaces places{positions_after_padding(input, 1), 1.5};
      struct Out {
        at::Tensor sum, out, mean, rstd, d_gamma, d_beta;
        EmbeddingTables d_tables;
      };
      const auto fresh = [&] {
        const at::TensorOptions m(master);
        return Out{at::zeros({tokens, c.width}, m),
                   at::zeros({tokens, c.width}, c.type),
                   at::zeros({tokens}, m),
                   at::zeros({tokens}, m),
                   c.unless_bare(at::ones({c.width}, m)),
                   c.unless_bare(at::ones({c.width}, m)),
                   {at::ones({29, c.width}, m), c.unless_bare(at::ones({132, c.width}, m)),
                    c.unless_bare(at::ones({2, c.width}, m))}};
      };
      Out a = fresh(), e = fresh();
      embedding_norm(input, mask, tables, places, weights, a.sum, a.out, a.mean, a.rstd);
      reference::embedding_norm(input, mask, tables, places, weights, e.sum, e.out, e.mean, e.rstd);
      expect_close(a.sum, e.sum, sum_tolerance(c.type), "sum");
      expect_close(a.out, e.out, tolerance(c.type), "out");
      expect_close(a.mean, e.mean, sum_tolerance(c.type), "mean");
      expect_close(a.rstd, e.rstd, sum_tolerance(c.type), "rstd");

      const at::Tensor d_out = random_tensor({tokens, c.width}, c.type, 6);
      at::Tensor a_sum = e.sum.clone(), e_sum = e.sum.clone();  // become gradients
      embedding_norm_backward(input, mask, places, weights, d_out, a_sum, e.mean, e.rstd, a.d_tables, a.d_gamma,
                              a.d_beta);
      reference::embedding_norm_backward(input, mask, places, weights, d_out, e_sum, e.mean, e.rstd, e.d_tables,
                                         e.d_gamma, e.d_beta);
      expect_close(a_sum, e_sum, sum_tolerance(c.type), "d_sum");
      expect_close(a.d_tables.word_VD, e.d_tables.word_VD, sum_tolerance(c.type), "d_word");
      if (c.bare) continue;
      expect_close(a.d_gamma, e.d_gamma, sum_tolerance(c.type), "d_gamma");
      expect_close(a.d_beta, e.d_beta, sum_tolerance(c.type), "d_beta");
      expect_close(a.d_tables.position_PD, e.d_tables.position_PD, sum_tolerance(c.type), "d_position");
      expect_close(a.d_tables.type_KD, e.d_tables.type_KD, sum_tolerance(c.type), "d_type");
    }
  }
}

TEST(Kernels, NormsDoNotDependOnTheNumberOfThreads) {
  const PackedBatch batch = batch_of(kLengths);
  const Input input(batch, at::kCPU);
  const NormWeights weights = norm_weights(100, at::kFloat, 1e-12);
  const at::Tensor bias = random_tensor({100}, at::kFloat, 3),
                   residual = random_tensor({input.tokens(), 100}, at::kFloat, 4);
  std::vector<at::Tensor> outs;
  for (int threads : {1, 2, 3}) {
    const Threads set(threads);
    const DropoutMask mask = mask_for(Dropout(DropoutKey(1, 1, 1), 1, 0.1), input.tokens(), 100);
    at::Tensor sum = random_tensor({input.tokens(), 100}, at::kFloat, 5), out = at::zeros_like(sum);
    residual_norm(input, mask, weights, bias, residual, sum, out, {}, {});
    outs.push_back(out);
  }
  EXPECT_TRUE(same_bits(outs[0], outs[1]));
  EXPECT_TRUE(same_bits(outs[0], outs[2]));
}

}  // namespace

}  // namespace st::test
