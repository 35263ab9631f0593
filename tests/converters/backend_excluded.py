"""Cases of ONNX's backend suite that are refused, by the reason why that is right."""

from __future__ import annotations

EXCLUDED: dict[str, str] = {
    "texts are numbers of a list: none are made, and two unknown ones are not compared": """
        test_equal_string test_equal_string_broadcast test_regex_full_match_basic
        test_regex_full_match_email_domain
        test_regex_full_match_empty test_string_concat test_string_concat_broadcasting
        test_string_concat_empty_string test_string_concat_utf8
        test_string_concat_zero_dimensional test_string_split_basic
        test_string_split_consecutive_delimiters test_string_split_empty_string_delimiter
        test_string_split_empty_tensor test_string_split_maxsplit test_string_split_no_delimiter
        test_strnorm_model_monday_casesensintive_lower
        test_strnorm_model_monday_casesensintive_nochangecase
        test_strnorm_model_monday_casesensintive_upper test_strnorm_model_monday_empty_output
        test_strnorm_model_monday_insensintive_upper_twodim
        test_strnorm_model_nostopwords_nochangecase
        test_strnormalizer_export_monday_casesensintive_lower
        test_strnormalizer_export_monday_casesensintive_nochangecase
        test_strnormalizer_export_monday_casesensintive_upper
        test_strnormalizer_export_monday_empty_output
        test_strnormalizer_export_monday_insensintive_upper_twodim
        test_strnormalizer_nostopwords_nochangecase
        test_tfidfvectorizer_tf_batch_onlybigrams_skip0
        test_tfidfvectorizer_tf_batch_onlybigrams_skip5
        test_tfidfvectorizer_tf_batch_uniandbigrams_skip5
        test_tfidfvectorizer_tf_only_bigrams_skip0 test_tfidfvectorizer_tf_onlybigrams_levelempty
        test_tfidfvectorizer_tf_onlybigrams_skip5 test_tfidfvectorizer_tf_uniandbigrams_skip5
    """,
    "sequences and optional values are resolved at import; none come in or go out": """
        test_identity_opt test_identity_sequence test_if_opt test_loop13_seq test_loop16_seq_none
        test_optional_get_element_optional_sequence test_optional_get_element_optional_tensor
        test_optional_get_element_sequence test_optional_has_element_empty_optional_input
        test_optional_has_element_optional_input test_optional_has_element_tensor_input
        test_sequence_insert_at_back test_sequence_insert_at_front
        test_sequence_map_add_1_sequence_1_tensor
        test_sequence_map_add_1_sequence_1_tensor_expanded test_sequence_map_add_2_sequences
        test_sequence_map_add_2_sequences_expanded test_sequence_map_extract_shapes
        test_sequence_map_extract_shapes_expanded test_sequence_map_identity_1_sequence
        test_sequence_map_identity_1_sequence_1_tensor
        test_sequence_map_identity_1_sequence_1_tensor_expanded
        test_sequence_map_identity_1_sequence_expanded test_sequence_map_identity_2_sequences
        test_sequence_map_identity_2_sequences_expanded test_split_to_sequence_nokeepdims
    """,
    "gradients and optimizers belong to training": """
        test_adagrad test_adagrad_multiple test_adam test_adam_multiple
        test_batchnorm_epsilon_training_mode test_batchnorm_example_training_mode
        test_gradient_of_add test_gradient_of_add_and_mul test_momentum test_momentum_multiple
        test_nesterov_momentum test_training_dropout test_training_dropout_default
        test_training_dropout_default_mask test_training_dropout_mask
        test_training_dropout_zero_ratio test_training_dropout_zero_ratio_mask
    """,
    "no other runtime repeats what they decide": """
        test_bernoulli test_bernoulli_double test_bernoulli_double_expanded
        test_bernoulli_expanded test_bernoulli_seed test_bernoulli_seed_expanded
    """,
    "images are decoded outside of models": """
        test_image_decoder_decode_bmp_rgb test_image_decoder_decode_jpeg2k_rgb
        test_image_decoder_decode_jpeg_bgr test_image_decoder_decode_jpeg_grayscale
        test_image_decoder_decode_jpeg_rgb test_image_decoder_decode_png_rgb
        test_image_decoder_decode_pnm_rgb test_image_decoder_decode_tiff_rgb
        test_image_decoder_decode_webp_rgb
    """,
    "sizes and parameters that a run computes in a form that no exporter makes": """
        test_affine_grid_2d_align_corners_expanded test_affine_grid_2d_expanded
        test_affine_grid_3d_align_corners_expanded test_maxunpool_export_with_output_shape
        test_sequence_model8 test_split_to_sequence_1 test_split_to_sequence_2
    """,
    "narrow floats are not made, nor rounded in every step of attention": """
        test_attention_4d_causal_padded_kv_bf16 test_attention_4d_padded_kv_bf16
    """,
    "forms that no exporter was seen to make": """
        test_ai_onnx_ml_tree_ensemble_set_membership test_if_seq test_melweightmatrix
    """,
}
