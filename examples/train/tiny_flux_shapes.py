"""Train a tiny FLUX pipeline that draws one of four colours in one of three shapes, and save it with its card.

Run from the root of the repository (about ten minutes on one core, no network)::

    python examples/train/tiny_flux_shapes.py --output examples/models/tiny-flux-shapes

First the autoencoder learns the drawings, then the transformer and both text encoders learn together to lead noise to
them (flow matching). `--card` measures a saved pipeline again and writes its card.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

import numpy as np
from tiny_flux_shapes_card import write_card
from tiny_flux_shapes_data import SIZE, WORDINGS, all_prompts, draw_many

if TYPE_CHECKING:
    import torch
    from diffusers import AutoencoderKL, FluxPipeline

DRAWINGS = 6000
WIDTH = 64
TEXT_TOKENS = 16
VAE_STEPS, VAE_BATCH = 680, 24
VAE_RATE = 2e-3
ROUNDS = ((2200, 2e-3), (1200, 1e-3))
"""Steps and learning rate of each round of flow matching; a round begins with the averaged weights of the last."""
FLOW_BATCH = 48
WARM_UP = 100
AVERAGE = 0.998


def build_tokenizers(prompts: list[str]) -> tuple[Any, Any]:
    """Return the CLIP and the T5 tokenizer: a token for each word of the prompts, letters for all others."""
    from transformers import CLIPTokenizer, T5Tokenizer

    words = sorted({word for prompt in prompts for word in prompt.split()})
    merges = learn_merges(words)
    ends = [f"{letter}</w>" for letter in ascii_lowercase]
    tokens = ["<|startoftext|>", "<|endoftext|>", *ascii_lowercase, *ends, *("".join(pair) for pair in merges)]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    clip = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TEXT_TOKENS)
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((f"▁{word}", -1.0) for word in words)]
    pieces += [("▁", -5.0), *((letter, -5.0) for letter in ascii_lowercase)]
    t5 = T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=TEXT_TOKENS)
    return clip, t5


def learn_merges(words: list[str]) -> list[tuple[str, str]]:
    """Return byte-pair merges, the most frequent pair first, until each word is one token.

    The library's own trainer numbers word ends in an order that differs from run to run.
    """
    split = [(*word[:-1], f"{word[-1]}</w>") for word in words]
    merges = []
    while pairs := Counter(pair for pieces in split for pair in pairwise(pieces)):
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        split = [merge_pair(pieces, best) for pieces in split]
    return merges


def merge_pair(pieces: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    """Return the pieces of a word with each occurrence of the pair made one piece."""
    merged: list[str] = []
    for piece in pieces:
        if merged and (merged[-1], piece) == pair:
            merged[-1] += piece
        else:
            merged.append(piece)
    return tuple(merged)


def build_pipeline(seed: int) -> FluxPipeline:
    """Return an untrained pipeline of the library's own FLUX classes."""
    import torch
    from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

    torch.manual_seed(seed)
    clip_tokenizer, t5_tokenizer = build_tokenizers(all_prompts())
    clip = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(clip_tokenizer),
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            projection_dim=WIDTH,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=TEXT_TOKENS,
            bos_token_id=clip_tokenizer.bos_token_id,
            eos_token_id=clip_tokenizer.eos_token_id,
            pad_token_id=clip_tokenizer.pad_token_id,
        )
    )
    t5 = T5EncoderModel(
        T5Config(
            vocab_size=len(t5_tokenizer),
            d_model=WIDTH,
            d_kv=16,
            d_ff=2 * WIDTH,
            num_layers=1,
            num_heads=4,
            dropout_rate=0.0,
            feed_forward_proj="gated-gelu",
        )
    )
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"),
        up_block_types=("UpDecoderBlock2D", "UpDecoderBlock2D"),
        block_out_channels=(8, 16),
        latent_channels=4,
        norm_num_groups=4,
        sample_size=SIZE,
        use_quant_conv=False,
        use_post_quant_conv=False,
        mid_block_add_attention=False,
    )
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=3,
        attention_head_dim=16,
        num_attention_heads=4,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        guidance_embeds=False,
        axes_dims_rope=(4, 6, 6),
    )
    scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0, use_dynamic_shifting=False)
    return FluxPipeline(scheduler, vae, clip, clip_tokenizer, t5, t5_tokenizer, transformer)


def train_autoencoder(vae: AutoencoderKL, pixels: torch.Tensor, seed: int) -> None:
    """Fit the autoencoder in place; prints its loss.

    Parameters
    ----------
    pixels
        Shape (drawings, 3, 32, 32), float32, values -1..1.
    seed
        Seed of the order and of the latents' noise.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=VAE_RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, VAE_STEPS))
    vae.train()
    for step in range(VAE_STEPS):
        shown = pixels[torch.randint(len(pixels), (VAE_BATCH,), generator=generator)]
        latent = vae.encode(shown).latent_dist
        drawn = vae.decode(latent.sample(generator)).sample
        error = drawn - shown
        loss = error.abs().mean() + error.square().mean() + 1e-4 * latent.kl().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if (step + 1) % 40 == 0:
            print(f"autoencoder {step + 1:4d}/{VAE_STEPS}  loss {loss.item():.4f}", flush=True)
    vae.eval()


def encode_drawings(vae: AutoencoderKL, pixels: torch.Tensor) -> torch.Tensor:
    """Return normalised latents, shape (drawings, 4, 16, 16), and note their shift and scale in the autoencoder."""
    import torch

    with torch.inference_mode():
        latents = torch.cat([vae.encode(part).latent_dist.mean for part in pixels.split(200)])
    shift, scale = float(latents.mean()), 1 / float(latents.std())
    vae.register_to_config(shift_factor=shift, scaling_factor=scale)
    return ((latents - shift) * scale).clone()


def train_flow(pipe: FluxPipeline, latents: torch.Tensor, pairs: torch.Tensor, number: int, seed: int) -> None:
    """Run one round: fit transformer and text encoders in place to velocity = noise − latent; prints the mean loss.

    Source of the method: Y. Lipman and others, Flow Matching for Generative Modeling, ICLR 2023.

    Parameters
    ----------
    latents
        Shape (drawings, 4, 16, 16), float32, normalised.
    pairs
        Shape (drawings,), int64, index of the colour-shape pair of each drawing.
    number
        Which of `ROUNDS`, from 0.
    """
    import torch

    steps, peak_rate = ROUNDS[number]
    parts = torch.nn.ModuleList([pipe.transformer, pipe.text_encoder, pipe.text_encoder_2]).train()
    averaged = torch.optim.swa_utils.AveragedModel(
        parts, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE)
    )
    packed = pipe._pack_latents(latents, len(latents), 4, SIZE // 2, SIZE // 2)
    places = pipe._prepare_latent_image_ids(1, SIZE // 4, SIZE // 4, "cpu", torch.float32)
    generator = torch.Generator().manual_seed(seed + number)
    optimizer = torch.optim.AdamW(parts.parameters(), lr=peak_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, steps))
    prompts, losses = all_prompts(), []
    for step in range(steps):
        rows = torch.randint(len(packed), (FLOW_BATCH,), generator=generator)
        wordings = torch.randint(len(WORDINGS), (FLOW_BATCH,), generator=generator)
        words, pooled, word_places = pipe.encode_prompt(prompts, max_sequence_length=TEXT_TOKENS)
        named = pairs[rows] * len(WORDINGS) + wordings
        noise = torch.randn(packed[rows].shape, generator=generator)
        moment = torch.sigmoid(0.3 + 1.2 * torch.randn(FLOW_BATCH, generator=generator))
        mixed = torch.lerp(packed[rows], noise, moment[:, None, None])
        velocity = pipe.transformer(
            hidden_states=mixed,
            timestep=moment,
            pooled_projections=pooled[named],
            encoder_hidden_states=words[named],
            txt_ids=word_places,
            img_ids=places,
            return_dict=False,
        )[0]
        loss = (velocity - (noise - packed[rows])).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parts.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        averaged.update_parameters(parts)
        losses.append(loss.item())
        if (step + 1) % 50 == 0:
            print(f"round {number + 1}  {step + 1:4d}/{steps}  mean loss {np.mean(losses[-50:]):.4f}", flush=True)
    parts.load_state_dict(averaged.module.state_dict())
    parts.eval()


def rate(step: int, steps: int) -> float:
    """Return the learning rate's factor: up in `WARM_UP` steps, down to 0 over the second half."""
    return min(1.0, (step + 1) / WARM_UP, 2 * (steps - step) / steps)


def main() -> None:
    """Train, save, measure, write the card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="directory to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--card", action="store_true", help="only measure what is saved there and write its card")
    parser.add_argument("--resume", type=int, default=0, help="rounds that are done and saved there already")
    arguments = parser.parse_args()

    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    if not arguments.card:
        train_and_save(arguments.output, arguments.seed, arguments.resume)
    write_card(arguments.output)
    for path in sorted(arguments.output.rglob("*.safetensors")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"{path.relative_to(arguments.output)}  sha256 {digest}")


def train_and_save(output: Path, seed: int, done: int) -> None:
    """Train the pipeline; its files are written after each round, and `done` rounds are taken from there."""
    import torch
    from diffusers import FluxPipeline

    started = time.process_time()
    drawings, pairs = draw_many(DRAWINGS, seed)
    pixels = torch.from_numpy(drawings).permute(0, 3, 1, 2).float().div(127.5).sub(1.0).contiguous()
    if done:
        pipe = FluxPipeline.from_pretrained(output, local_files_only=True, use_safetensors=True)
    else:
        pipe = build_pipeline(seed)
        train_autoencoder(pipe.vae, pixels, seed)
    latents = encode_drawings(pipe.vae, pixels)
    for number in range(done, len(ROUNDS)):
        train_flow(pipe, latents, torch.from_numpy(pairs), number, seed)
        print(f"{time.process_time() - started:.0f} CPU-seconds", flush=True)
        save(pipe, output)


def save(pipe: FluxPipeline, output: Path) -> None:
    """Write the pipeline's files, readable by all; a resumed run writes the same, to the byte."""
    pipe.save_pretrained(output, safe_serialization=True)
    # Tokenizers note how they were last called, configurations where they were read from.
    for name, tokenizer in zip(("tokenizer", "tokenizer_2"), build_tokenizers(all_prompts()), strict=True):
        tokenizer.save_pretrained(output / name)
    for path in (output / "model_index.json", *output.glob("*/config.json")):
        config = json.loads(path.read_text(encoding="utf-8"))
        config.pop("_name_or_path", None)
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    # The library saves weights as 0600, which no other user (a sandboxed loader) could read.
    for path in output.rglob("*"):
        if path.is_file():
            path.chmod(0o644)


if __name__ == "__main__":
    main()
