#pragma once

#include <algorithm>

#include "ops/linear.h"
#include "ops/product.h"

// Linear layers with the CPU's own kernels. Further work is done on rows while they are in the cache. For ops that
// have checked product::available().
namespace st {

// Calls work(S{}) with the storage type of a product's operands.
template <typename Work>
void with_product_storage(at::ScalarType type, const Work& work) {
  if (type == at::kFloat) return work(float{});
  work(kernels::Bf16{});
}

// The tensor's memory if its elements have the type of sums, so that a product can write there; else null.
template <typename S>
float* same_memory(const at::Tensor& tensor) {
  if constexpr (std::is_same_v<S, float>) return data<float>(tensor);
  return nullptr;
}

// Calls work(prologue, epilogue) for product::multiply(). The epilogue gets the sums, `width` in a row, with what is to
// be added to them for this x.
template <typename Epilogue, typename Work>
void with_addend(const Addend& added, const at::Tensor& x_TI, int64_t width, Workspace& workspace,
                 const Epilogue& epilogue, const Work& work) {
  const auto nothing = [](int64_t, int64_t) {};
  if (!added.defined()) return work(nothing, epilogue);
  if (added.whole_TO.defined()) {
    const auto add = kernels::table<float>().store_rows;
    const float* whole = data<float>(added.whole_TO);
    return work(nothing, [&epilogue, add, width, whole](int64_t part, int64_t begin, int64_t end, float* sums) {
      add(end - begin, width, whole + begin * width, nullptr, true, sums);
      epilogue(part, begin, end, sums);
    });
  }
  const kernels::Products<float>& products = *kernels::products<float>();
  struct Panels {
    int64_t inner_column, column, depth, columns;
    const float* values;
  };
  std::vector<Panels> factors;
  for (const auto& [inner_column, column, factor_RO] : added.factors) {
    const at::Tensor packed = product::pack_small(factor_RO, workspace);
    factors.push_back({inner_column, column, factor_RO.size(0), factor_RO.size(1), data<float>(packed)});
  }
  const int64_t rank = added.inner_TR.size(1), x_width = x_TI.size(1);
  float* inner = data<float>(added.inner_TR);
  const auto make_inner = [&products, &added, &x_TI, inner, rank, x_width](int64_t begin, int64_t end) {
    for (const auto& [column, inner_column, factor_IR] : added.sources) {
      products.add_product(data<float>(x_TI) + begin * x_width + column, x_width, 1, end - begin,
                           data<float>(factor_IR), factor_IR.stride(0), factor_IR.stride(1), factor_IR.size(0),
                           factor_IR.size(1), inner + begin * rank + inner_column, rank);
    }
  };
  work(make_inner,
       [&products, &factors, &epilogue, inner, rank, width](int64_t part, int64_t begin, int64_t end, float* sums) {
         constexpr int64_t kAtOnce = 32;  // rows whose sums are still near when the epilogue reads them
         for (int64_t last; begin < end; sums += (last - begin) * width, begin = last) {
           last = std::min(end, begin + kAtOnce);
           for (const Panels& of : factors) {
             products.multiply_add(inner + begin * rank + of.inner_column, rank, last - begin, of.values, of.depth,
                                   of.columns, sums + of.column, width);
           }
           epilogue(part, begin, last, sums);
         }
       });
}

// x W', passed to epilogue(part, begin, end, sums_BO) in blocks of rows (product::multiply). `sums_TO` may be memory
// for all sums.
template <typename S, typename Epilogue>
void linear_rows(const at::Tensor& x_TI, const Weight& weight, float* sums_TO, const Epilogue& given) {
  const Scratch scratch(weight.workspace);
  const int64_t rows = x_TI.size(0), depth = x_TI.size(1), columns = weight.value_OI.size(0);
  constexpr int64_t kFew = 48;  // rows of one block of all kernels
  if (weight.packed_OI == nullptr && rows <= kFew) {
    return with_addend(weight.added, x_TI, columns, weight.workspace, given,
                       [&](const auto& prologue, const auto& epilogue) {
                         product::multiply_unpacked(*product::kernels_for<S>(rows, depth), data<S>(x_TI), rows, depth,
                                                    data<S>(weight.value_OI), columns, sums_TO, prologue, epilogue);
                       });
  }
  const at::Tensor panels =
      weight.packed_OI != nullptr ? *weight.packed_OI : product::pack(weight.value_OI, true, rows, weight.workspace);
  with_addend(weight.added, x_TI, columns, weight.workspace, given, [&](const auto& prologue, const auto& epilogue) {
    if constexpr (std::is_same_v<S, float>) {
      if (panels.scalar_type() == at::kByte) {
        return product::multiply(product::Int8{*kernels::int8_products()}, data<S>(x_TI), rows, depth,
                                 data<uint8_t>(panels), columns, sums_TO, prologue, epilogue);
      }
    }
    product::multiply(*product::kernels_for<S>(rows, depth), data<S>(x_TI), rows, depth, data<S>(panels), columns,
                      sums_TO, prologue, epilogue);
  });
}

// d_y W, passed to epilogue(part, begin, end, sums_BI).
template <typename S, typename Epilogue>
void linear_backward_rows(const at::Tensor& d_y_TO, const Weight& weight, float* sums_TI, const Epilogue& given) {
  const Scratch scratch(weight.workspace);
  const int64_t rows = d_y_TO.size(0), depth = d_y_TO.size(1), columns = weight.value_OI.size(1);
  const at::Tensor panels = product::pack(weight.value_OI, false, rows, weight.workspace);
  with_addend(weight.added, d_y_TO, columns, weight.workspace, given, [&](const auto& prologue, const auto& epilogue) {
    product::multiply(*product::kernels_for<S>(rows, depth), data<S>(d_y_TO), rows, depth, data<S>(panels), columns,
                      sums_TI, prologue, epilogue);
  });
}

}  // namespace st
