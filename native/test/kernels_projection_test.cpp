// The kernels that follow the product of a projection, a gate or a turn by the position, against their references.
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "layers/rotary.h"
#include "ops/linear_activation.h"
#include "ops/linear_branch_norm.h"
#include "ops/linear_gate.h"
#include "ops/linear_head_norm.h"
#include "ops/linear_rotary.h"
#include "support.h"

namespace st::test {

namespace {

const std::vector<int> kLengths = {1, 2, 15, 16, 17, 31, 33, 130};

double tolerance(at::ScalarType type) {
  return type == at::kDouble ? 1e-12 : type == at::kFloat ? 5e-5 : 3e-2;
}

struct Call {
  PackedBatch batch = batch_of(kLengths);
  Input input{batch, at::kCPU};
  Workspace workspace{at::kCPU};
  int64_t tokens = input.tokens();
};

TEST(Kernels, LinearGate) {
  Call call;
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kDouble}) {
    const at::ScalarType master = type == at::kDouble ? at::kDouble : at::kFloat;
    for (const int64_t width : {7, 16, 48, 100}) {
      for (const Activation activation : {Activation::kGelu, Activation::kSilu}) {
        for (const double dropped : {0.0, 0.2}) {
          for (const bool first : {false, true}) {
            for (const bool biased : {false, true}) {
              SCOPED_TRACE(std::string(c10::toString(type)) + ", width " + std::to_string(width) + ", dropout " +
                           std::to_string(dropped) + ", first " + std::to_string(first));
              const GateShape gate{activation, first};
              const Dropout dropout(key_of_part(), 9, dropped);
              const at::Tensor x = random_tensor({call.tokens, 64}, type, 1, 0.3),
                               value = random_tensor({2 * width, 64}, type, 2, 0.3),
                               bias = biased ? random_tensor({2 * width}, master, 3) : at::Tensor();
              const Weight weight{value, nullptr, call.workspace};
              at::Tensor before = at::zeros({call.tokens, 2 * width}, type), kept = at::zeros_like(before),
                         e_kept = at::zeros_like(before), after = at::zeros({call.tokens, width}, type),
                         e_after = at::zeros_like(after), bare = at::zeros_like(after);
              linear_gate(call.input, x, weight, bias, gate, dropout, kept, after);
              linear_gate(call.input, x, weight, bias, gate, dropout, {}, bare);
              EXPECT_TRUE(same_bits(bare, after));
              at::Tensor read = at::zeros_like(before), again = at::zeros_like(after);
              bare.zero_();
              linear_gate(call.input, x, weight, bias, gate, dropout, {}, bare, read);
              EXPECT_TRUE(same_bits(bare, after));
              gate_again(call.input, read, gate, dropout, read, again);
              if (type != at::kBFloat16) {
                EXPECT_TRUE(same_bits(again, after));
                EXPECT_TRUE(same_bits(read, kept));
              }
              reference::linear(x, value, bias, before);
              reference::gate(call.input, before, gate, dropout, e_kept, e_after);
              expect_close(after, e_after, tolerance(type), "after");
              expect_close(kept, e_kept, tolerance(type), "kept");
              expect_close(again, e_after, tolerance(type), "after, computed again");
              expect_close(read, e_kept, tolerance(type), "kept, computed again");
              at::Tensor in_place = before.clone();
              reference::gate(call.input, in_place, gate, dropout, in_place, again);
              EXPECT_TRUE(same_bits(in_place, e_kept));

              const at::Tensor d_y = random_tensor({call.tokens, 32}, type, 4, 0.3),
                               next = random_tensor({32, width}, type, 5, 0.3);
              at::Tensor d = at::zeros_like(before), e_d = at::zeros_like(before), d_after = at::zeros_like(after),
                         d_bias = at::ones({2 * width}, master), e_d_bias = at::ones({2 * width}, master);
              linear_gate_backward(d_y, {next, nullptr, call.workspace}, e_kept, d, d_bias);
              reference::linear_backward_input(d_y, next, d_after, false);
              reference::gate_backward(d_after, e_kept, e_d, e_d_bias);
              expect_close(d, e_d, tolerance(type), "d");
              if (type != at::kBFloat16) expect_close(d_bias, e_d_bias, 10 * tolerance(type), "d_bias");
            }
          }
        }
      }
    }
  }
}

TEST(Kernels, LinearActivation) {
  Call call;
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kDouble}) {
    const at::ScalarType master = type == at::kDouble ? at::kDouble : at::kFloat;
    for (const int64_t width : {7, 16, 48, 300}) {
      for (const double dropped : {0.0, 0.2}) {
        for (const bool biased : {false, true}) {
          SCOPED_TRACE(std::string(c10::toString(type)) + ", width " + std::to_string(width) + ", dropout " +
                       std::to_string(dropped));
          const Dropout dropout(key_of_part(), 9, dropped);
          const at::Tensor x = random_tensor({call.tokens, 64}, type, 1, 0.3),
                           value = random_tensor({width, 64}, type, 2, 0.3),
                           bias = biased ? random_tensor({width}, master, 3) : at::Tensor();
          const Weight weight{value, nullptr, call.workspace};
          at::Tensor slope = at::zeros({call.tokens, width}, type), after = at::zeros_like(slope),
                     bare = at::zeros_like(slope), before = at::zeros_like(slope), e_slope = at::zeros_like(slope),
                     e_after = at::zeros_like(slope);
          linear_activation(call.input, x, weight, bias, Activation::kGelu, dropout, slope, after);
          linear_activation(call.input, x, weight, bias, Activation::kGelu, dropout, {}, bare);
          EXPECT_TRUE(same_bits(bare, after));
          at::Tensor read = at::zeros_like(slope), again = at::zeros_like(slope);
          bare.zero_();
          linear_activation(call.input, x, weight, bias, Activation::kGelu, dropout, {}, bare, read);
          EXPECT_TRUE(same_bits(bare, after));
          activate_out(Activation::kGelu, read, again, read);
          drop(call.input, dropout, again, read);
          if (type != at::kBFloat16) {
            EXPECT_TRUE(same_bits(again, after));
            EXPECT_TRUE(same_bits(read, slope));
          }
          reference::linear(x, value, bias, before);
          reference::activate_out(Activation::kGelu, before, e_after, e_slope);
          reference::drop(call.input, dropout, e_after, e_slope);
          expect_close(after, e_after, tolerance(type), "after");
          expect_close(slope, e_slope, tolerance(type), "slope");
          expect_close(again, e_after, tolerance(type), "after, computed again");
          expect_close(read, e_slope, tolerance(type), "slope, computed again");
          EXPECT_EQ((after == 0).sum().item<int64_t>(), (e_after == 0).sum().item<int64_t>());
        }
      }
    }
  }
}

TEST(Kernels, Drop) {
  Call call;
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kDouble}) {
    for (const int64_t width : {1, 16, 129, 300}) {
      const Dropout dropout(key_of_part(), 9, 0.3);
      const at::Tensor x = random_tensor({call.tokens, width}, type, 1), other = random_tensor(x.sizes(), type, 2);
      at::Tensor one = x.clone(), two = other.clone(), e_one = x.clone(), e_two = other.clone(), alone = x.clone();
      drop(call.input, dropout, one, two);
      drop(call.input, dropout, alone);
      reference::drop(call.input, dropout, e_one, e_two);
      EXPECT_TRUE(same_bits(one, alone));
      expect_close(one, e_one, tolerance(type), "first");
      expect_close(two, e_two, tolerance(type), "second");
      drop(call.input, Dropout(), alone);
      EXPECT_TRUE(same_bits(one, alone));
    }
  }
}

TEST(Kernels, LinearRotary) {
  Call call;
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kDouble}) {
    const at::ScalarType master = type == at::kDouble ? at::kDouble : at::kFloat;
    for (const RotaryShape shape : {RotaryShape{4, 32, 32}, RotaryShape{4, 64, 64}, RotaryShape{3, 20, 12}}) {
      for (const bool biased : {false, true}) {
        SCOPED_TRACE(std::string(c10::toString(type)) + ", head " + std::to_string(shape.head_dim));
        const int64_t width = (shape.heads + 2) * shape.head_dim;  // two heads of values
        const at::Tensor x = random_tensor({call.tokens, 64}, type, 1, 0.3),
                         value = random_tensor({width, 64}, type, 2, 0.3),
                         bias = biased ? random_tensor({width}, master, 3) : at::Tensor(),
                         table = rotary_table(rotary_frequencies({100}, shape.rotated, master), 130);
        const RotaryAngles angles{table, call.input.positions_T};
        at::Tensor out = at::zeros({call.tokens, width}, type), expected = at::zeros_like(out);
        linear_rotary(x, {value, nullptr, call.workspace}, bias, shape, angles, out);
        reference::linear(x, value, bias, expected);
        reference::rotate(shape, angles, false, expected);
        expect_close(out, expected, tolerance(type), "out");

        at::Tensor d = random_tensor({call.tokens, width}, type, 4), e_d = d.clone(),
                   d_bias = at::ones({width}, master);
        linear_rotary_backward(shape, angles, d, d_bias);
        reference::rotate(shape, angles, true, e_d);
        expect_close(d, e_d, tolerance(type), "d");
        const at::Tensor e_d_bias = e_d.sum(at::IntArrayRef{0}, false, master) + 1;
        expect_close(d_bias, e_d_bias, type == at::kBFloat16 ? 0.3 : 10 * tolerance(type), "d_bias");
      }
    }
  }
}

TEST(Kernels, LinearBranchNorm) {
  Call call;
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kDouble}) {
    const at::ScalarType master = type == at::kDouble ? at::kDouble : at::kFloat;
    for (const int64_t width : {7, 48, 100}) {
      for (const NormKind kind : {NormKind::kLayer, NormKind::kRms}) {
        SCOPED_TRACE(std::string(c10::toString(type)) + ", width " + std::to_string(width));
        const bool rms = kind == NormKind::kRms;
        const auto vector = [&](uint64_t seed) { return random_tensor({width}, master, seed) + 1; };
        const NormWeights branch{vector(1), rms ? at::Tensor() : vector(2), 1e-3, kind},
            norm{vector(3), rms ? at::Tensor() : vector(4), 1e-6, kind};
        const DropoutMask mask = mask_for(Dropout(key_of_part(), 9, rms ? 0.2 : 0), call.tokens, width);
        const at::Tensor x = random_tensor({call.tokens, 64}, type, 1, 0.3),
                         value = random_tensor({width, 64}, type, 2, 0.3), bias = rms ? at::Tensor() : vector(5),
                         residual = random_tensor({call.tokens, width}, type, 6);
        const auto like = [&](at::IntArrayRef shape, at::ScalarType of) { return at::zeros(shape, of); };
        struct Found {
          at::Tensor sum, out, mean, rstd;
          BranchKept kept;
        };
        const auto empty = [&] {
          const at::Tensor tokens = like({call.tokens}, master), all = like({call.tokens, width}, type);
          return Found{
              all.clone(), all.clone(), tokens.clone(), tokens.clone(), {all.clone(), tokens.clone(), tokens.clone()}};
        };
        const Found found = empty(), expected = empty();
        linear_branch_norm(call.input, x, {value, nullptr, call.workspace}, bias, branch, found.kept, mask, norm,
                           residual, found.sum, found.out, found.mean, found.rstd);
        reference::linear(x, value, {}, expected.sum);
        reference::branch_norm(branch, bias, expected.kept, expected.sum);
        reference::residual_norm(call.input, mask, norm, {}, residual, expected.sum, expected.out, expected.mean,
                                 expected.rstd);
        expect_close(found.kept.branch_TD, expected.kept.branch_TD, tolerance(type), "branch");
        expect_close(found.kept.rstd_T, expected.kept.rstd_T, tolerance(type), "rstd of the branch");
        expect_close(found.sum, expected.sum, tolerance(type), "sum");
        expect_close(found.out, expected.out, tolerance(type), "out");
        expect_close(found.rstd, expected.rstd, tolerance(type), "rstd");
        at::Tensor bare = at::zeros_like(found.out);
        linear_branch_norm(call.input, x, {value, nullptr, call.workspace}, bias, branch, {}, mask, norm, residual, {},
                           bare, {}, {});
        if (type != at::kBFloat16) EXPECT_TRUE(same_bits(bare, found.out));
      }
    }
  }
}

TEST(Kernels, LinearHeadNorm) {
  Call call;
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kDouble}) {
    const at::ScalarType master = type == at::kDouble ? at::kDouble : at::kFloat;
    for (const RotaryShape shape : {RotaryShape{6, 32, 32}, RotaryShape{4, 256, 256}, RotaryShape{3, 20, 12}}) {
      for (const bool biased : {false, true}) {
        SCOPED_TRACE(std::string(c10::toString(type)) + ", head " + std::to_string(shape.head_dim));
        const int64_t normed = shape.heads * shape.head_dim, width = normed + shape.head_dim;
        const HeadNorms norms{shape.heads - 1,
                              {random_tensor({shape.head_dim}, master, 6) + 1, {}, 1e-3, NormKind::kRms},
                              {random_tensor({shape.head_dim}, master, 7) + 1, {}, 1e-6, NormKind::kRms}};
        const at::Tensor x = random_tensor({call.tokens, 64}, type, 1, 0.3),
                         value = random_tensor({width, 64}, type, 2, 0.3),
                         bias = biased ? random_tensor({width}, master, 3) : at::Tensor(),
                         table = rotary_table(rotary_frequencies({100}, shape.rotated, master), 130);
        const RotaryAngles angles{table, call.input.positions_T};
        const Weight weight{value, nullptr, call.workspace};
        at::Tensor out = at::zeros({call.tokens, width}, type), expected = at::zeros_like(out),
                   bare = at::zeros_like(out), kept = at::zeros({call.tokens, normed}, type),
                   e_kept = at::zeros_like(kept);
        linear_head_norm(x, weight, bias, norms, shape, angles, kept, out);
        linear_head_norm(x, weight, bias, norms, shape, angles, {}, bare);
        EXPECT_TRUE(same_bits(bare, out));
        reference::linear(x, value, bias, expected);
        reference::head_norm(norms, shape, e_kept, expected);
        reference::rotate(shape, angles, false, expected);
        expect_close(kept, e_kept, tolerance(type), "kept");
        expect_close(out, expected, tolerance(type), "out");

        at::Tensor d = random_tensor({call.tokens, width}, type, 4), e_d = d.clone();
        const auto sums = [&] {
          return HeadNormGradients{at::ones({shape.head_dim}, master), at::ones({shape.head_dim}, master),
                                   at::ones({width}, master)};
        };
        const HeadNormGradients found = sums(), wanted = sums();
        linear_head_norm_backward(norms, shape, angles, e_kept, d, found);
        reference::rotate(shape, angles, true, e_d);
        reference::head_norm_backward(norms, shape, e_kept, e_d, wanted);
        expect_close(d, e_d, tolerance(type), "d");
        const double of_sums = type == at::kBFloat16 ? 0.3 : 10 * tolerance(type);
        expect_close(found.query_E, wanted.query_E, of_sums, "d_query");
        expect_close(found.key_E, wanted.key_E, of_sums, "d_key");
        expect_close(found.bias_X, wanted.bias_X, of_sums, "d_bias");
      }
    }
  }
}

// transformers' apply_rotary_pos_emb for theta 10000, a head of 4 and position 3: x cos + rotate_half(x) sin.
TEST(Kernels, RotaryIsThatOfTransformers) {
  PackedBatch batch = batch_of({4});
  const Input input(batch, at::kCPU);
  at::Tensor x = at::zeros({4, 4}, at::kDouble);
  for (int i = 0; i < 4; ++i) x.data_ptr<double>()[12 + i] = i + 1;
  reference::rotate({1, 4, 4}, {rotary_table(rotary_frequencies({10000}, 4, at::kDouble), 4), input.positions_T}, false,
                    x);
  const double c0 = std::cos(3.0), s0 = std::sin(3.0), c1 = std::cos(0.03), s1 = std::sin(0.03);
  const double expected[] = {c0 - 3 * s0, 2 * c1 - 4 * s1, 3 * c0 + s0, 4 * c1 + 2 * s1};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(x.data_ptr<double>()[12 + i], expected[i], 1e-6);
}

}  // namespace

}  // namespace st::test
