// The recurrent kernels of one ISA.
// The int8 tiles come with helpers that only convolutions use.
#pragma GCC diagnostic ignored "-Wunused-function"
#define LINNET_WORD_TILES 1
#include "recurrent/svdf.h"
#include "recurrent/walk_f32.h"

namespace linnet {
namespace LINNET_ISA {

void lstm_s8(const LstmS8Params& p, const Worker& worker) noexcept { run_lstm_s8(p, worker); }

void lstm_f32(const LstmF32Params& p, const Worker& worker) noexcept { run_lstm_f32(p, worker); }

void svdf_s8(const SvdfS8Params& p, const Worker& worker) noexcept { run_svdf_s8(p, worker); }

void svdf_f32(const SvdfF32Params& p, const Worker& worker) noexcept { run_svdf_f32(p, worker); }

void walk_f32(const WalkF32Params& p, const Worker& worker) noexcept { run_walk_f32(p, worker); }

void walk_step_f32(const WalkStepF32Params& p, const Worker& worker) noexcept {
  run_walk_step_f32(p, worker);
}

}  // namespace LINNET_ISA
}  // namespace linnet
